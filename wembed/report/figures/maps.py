"""Maps of the zoo as the main encoder sees it: one point per checkpoint, by architecture, by accuracy and by family."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wembed.evaluate.results import Evaluation, MapPoint
from wembed.report.figures.style import PALE, Kind, dot, headed_legend, kinds, markers, new_figure, no_ticks
from wembed.report.lookup import main_encoder
from wembed.report.words import short

MOST_FAMILIES = 12  # that get a look of their own
_MOST_ARCHITECTURES = 27  # as many looks as there are
_SIZE = 15  # square points
_ENTRY = 0.172  # inches of one entry of a legend
_LEAST = 4.6  # inches of height
_UNKNOWN = "unknown"
_REST = Kind("#D9D9D9", "#C4C4C4", ".")

Place = tuple[float, float]


def map_by_architecture(evaluation: Evaluation) -> Figure:
    """Colour, form and fill for the architecture; of more than there are looks, the commonest."""
    points = evaluation.map
    names = _commonest(map(_architecture, points), _MOST_ARCHITECTURES)
    looks = kinds(sorted(names, key=_by_kind_and_size))
    figure = new_figure(max(_LEAST, _ENTRY * (len(looks) + 3)))
    axes = figure.subplots()
    rest = [point for point in points if _architecture(point) not in looks]
    _scatter(axes, rest, _REST)
    for name, look in looks.items():
        _scatter(axes, [point for point in points if _architecture(point) == name], look)
    others = [_dot(f"{len(set(map(_architecture, rest)))} others", _REST)] if rest else []
    headed_legend(figure, {"architecture": [*(_dot(name, look) for name, look in looks.items()), *others]})
    _finish(axes, f"{len(points)} checkpoints as {short(main_encoder(evaluation))} sees them, by architecture")
    return figure


def map_by_accuracy(evaluation: Evaluation) -> Figure:
    """Colour for the accuracy, form for the data set."""
    points = [point for point in evaluation.map if _is_known(point)]
    forms = markers(sorted({point.dataset for point in points}))
    figure = new_figure(5.4)
    axes = figure.subplots()
    for dataset, marker in forms.items():
        chosen = [point for point in points if point.dataset == dataset]
        axes.scatter(
            *_places(chosen), c=[point.accuracy or 0.0 for point in chosen], cmap="viridis", vmin=0, vmax=1, s=_SIZE,
            marker=marker, edgecolors="white", linewidths=0.3,
        )  # fmt: skip
    scale = ScalarMappable(Normalize(0, 1), "viridis")
    figure.colorbar(scale, ax=axes, label="accuracy on held-out inputs", shrink=0.85, pad=0.02)
    entries = [dot(name, form, "#777777", "white") for name, form in forms.items()]
    figure.legend(handles=entries, loc="outside lower center", ncols=4, title="data set")
    _finish(axes, f"{len(points)} checkpoints as {short(main_encoder(evaluation))} sees them, by accuracy")
    return figure


def map_by_family(evaluation: Evaluation) -> Figure:
    """A look for each of the largest families; lines along runs and from parents to children."""
    points = evaluation.map
    looks = kinds(largest_families(points))
    figure = new_figure(_LEAST)
    axes = figure.subplots()
    _scatter(axes, [point for point in points if point.family not in looks], _REST)
    lines = LineCollection(_kinships(points), colors=PALE, linewidths=0.45, alpha=0.6, zorder=1)
    axes.add_collection(lines)
    for name, look in looks.items():
        _scatter(axes, [point for point in points if point.family == name], look)
    others = len({point.family for point in points} - looks.keys())
    entries = [_dot(name, look) for name, look in looks.items()]
    entries += [_dot(f"{others} others", _REST)] if others else []
    line = Line2D([], [], color=PALE, linewidth=0.8, label="next snapshot, or child")
    headed_legend(figure, {"largest families": [*entries, line]})
    _finish(axes, f"{len(points)} checkpoints as {short(main_encoder(evaluation))} sees them, by family")
    return figure


def largest_families(points: Sequence[MapPoint]) -> list[str]:
    """Families of two checkpoints or more, those with most first; of equal ones, those of many configurations."""
    sizes = Counter(point.family for point in points if point.family)
    kinds_of = {point.family: (point.dataset, point.architecture) for point in reversed(points)}
    chosen: list[str] = []
    for size in sorted(set(sizes.values()) - {1}, reverse=True):
        equal = sorted(name for name in sizes if sizes[name] == size)
        chosen += _spread(equal, kinds_of, MOST_FAMILIES - len(chosen))
    return chosen


def _spread(families: Sequence[str], kinds_of: Mapping[str, tuple[str, str]], most: int) -> list[str]:
    """Some families: one of each configuration before a second one of any, evenly over what is there."""
    seen: Counter[tuple[str, str]] = Counter()
    turns: dict[str, int] = {}
    for name in families:
        turns[name] = seen[kinds_of[name]]
        seen[kinds_of[name]] += 1
    first = sorted((name for name in families if not turns[name]), key=lambda name: kinds_of[name])
    if len(first) >= most:
        return [first[place * len(first) // most] for place in range(most)]
    return sorted(families, key=lambda name: (turns[name], name))[:most]


def _kinships(points: Sequence[MapPoint]) -> list[tuple[Place, Place]]:
    """From each snapshot to the next one of its run, and from each parent to its children."""
    known = {point.id: point for point in points}
    pairs = [(known[point.parent], point) for point in points if point.parent in known]
    runs: dict[str, list[MapPoint]] = {}
    for point in sorted((point for point in points if point.step is not None), key=lambda point: point.step or 0):
        runs.setdefault(point.run, []).append(point)
    for run, snapshots in runs.items():
        pairs += itertools.pairwise(snapshots) if run else []
    return [((first.x, first.y), (second.x, second.y)) for first, second in pairs]


def _commonest(names: Iterable[str], most: int) -> list[str]:
    counts = Counter(names)
    return sorted(counts, key=lambda name: (-counts[name], name))[:most]


def _is_known(point: MapPoint) -> bool:
    return point.accuracy is not None and math.isfinite(point.accuracy)


def _architecture(point: MapPoint) -> str:
    return point.architecture or _UNKNOWN


def _by_kind_and_size(name: str) -> tuple[str, tuple[int, ...]]:
    """mlp-relu-32x32 before mlp-relu-128."""
    kind, _, sizes = name.rpartition("-")
    numbers = sizes.split("x")
    return (kind, tuple(map(int, numbers))) if all(map(str.isdecimal, numbers)) else (name, ())


def _dot(name: str, look: Kind) -> Line2D:
    return dot(name, look.marker, look.face, look.edge)


def _places(points: Sequence[MapPoint]) -> tuple[list[float], list[float]]:
    return [point.x for point in points], [point.y for point in points]


def _scatter(axes: Axes, points: Sequence[MapPoint], look: Kind) -> None:
    axes.scatter(*_places(points), s=_SIZE, marker=look.marker, c=look.face, edgecolors=look.edge, linewidths=0.5)


def _finish(axes: Axes, title: str) -> None:
    no_ticks(axes)
    axes.set_title(title)
    axes.set_xlabel("t-SNE, first direction (no unit)")
    axes.set_ylabel("t-SNE, second direction (no unit)")
