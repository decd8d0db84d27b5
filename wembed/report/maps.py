"""Maps of the zoo as the main encoder sees it: one point per checkpoint, coloured by architecture or by accuracy."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wembed.evaluate.results import Evaluation, MapPoint
from wembed.report.lookup import main_encoder
from wembed.report.style import Kind, dot, headed_legend, kinds, markers, new_figure, no_ticks

_SIZE = 26  # square points
_ENTRY = 0.215  # inches of one entry of a legend
_UNKNOWN = "unknown"


def map_by_architecture(evaluation: Evaluation) -> Figure:
    """Colour for the architecture, form for the data set."""
    points = evaluation.map
    architectures = sorted({_architecture(point) for point in points}, key=_by_kind_and_size)
    looks, forms = kinds(architectures), _forms(points)
    figure = new_figure(9.0, max(5.6, _ENTRY * (len(looks) + len(forms) + 4)))
    axes = figure.subplots()
    for name in architectures:
        for dataset, marker in forms.items():
            chosen = [point for point in points if (_architecture(point), point.dataset) == (name, dataset)]
            _scatter(axes, chosen, marker, looks[name])
    architecture_dots = [dot(name, "o", look.face, look.edge) for name, look in looks.items()]
    headed_legend(figure, {"architecture": architecture_dots, "data set": _dots(forms)})
    _finish(axes, f"{len(points)} checkpoints as {main_encoder(evaluation)} sees them, by architecture")
    return figure


def map_by_accuracy(evaluation: Evaluation) -> Figure:
    """Colour for the accuracy, form for the data set."""
    points = [point for point in evaluation.map if point.accuracy is not None and math.isfinite(point.accuracy)]
    forms = _forms(points)
    figure = new_figure(8.0, 6.0)
    axes = figure.subplots()
    for dataset, marker in forms.items():
        chosen = [point for point in points if point.dataset == dataset]
        places = [point.x for point in chosen], [point.y for point in chosen]
        colours = [point.accuracy for point in chosen]
        axes.scatter(
            *places,
            c=colours,
            cmap="viridis",
            vmin=0,
            vmax=1,
            s=_SIZE,
            marker=marker,
            edgecolors="white",
            linewidths=0.4,
        )
    figure.colorbar(
        ScalarMappable(Normalize(0, 1), "viridis"), ax=axes, label="accuracy on held-out inputs", shrink=0.85, pad=0.02
    )
    figure.legend(handles=_dots(forms), loc="outside lower center", ncols=4, title="data set")
    _finish(axes, f"{len(points)} checkpoints as {main_encoder(evaluation)} sees them, by accuracy")
    return figure


def _architecture(point: MapPoint) -> str:
    return point.architecture or _UNKNOWN


def _by_kind_and_size(name: str) -> tuple[str, tuple[int, ...]]:
    """mlp-relu-32x32 before mlp-relu-128."""
    kind, _, sizes = name.rpartition("-")
    numbers = sizes.split("x")
    return (kind, tuple(map(int, numbers))) if all(map(str.isdigit, numbers)) else (name, ())


def _forms(points: Sequence[MapPoint]) -> dict[str, str]:
    return markers(sorted({point.dataset for point in points}))


def _dots(forms: Mapping[str, str]) -> list[Line2D]:
    return [dot(name, form, "#777777", "white") for name, form in forms.items()]


def _scatter(axes: Axes, points: Sequence[MapPoint], marker: str, look: Kind) -> None:
    places = [point.x for point in points], [point.y for point in points]
    axes.scatter(*places, s=_SIZE, marker=marker, c=look.face, edgecolors=look.edge, linewidths=0.7)


def _finish(axes: Axes, title: str) -> None:
    no_ticks(axes)
    axes.set_title(title)
    axes.set_xlabel("t-SNE, first direction (no unit)")
    axes.set_ylabel("t-SNE, second direction (no unit)")
