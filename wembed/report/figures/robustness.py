"""Invariance and robustness: how far embeddings move when nothing changes, and what is found of damaged networks."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wembed.evaluate.results import Evaluation
from wembed.report.figures.style import INK, Kind, Look, dot, encoder_looks, new_figure, plain_powers
from wembed.report.lookup import TEST, find, is_control, main_encoder, names, rows_of, shape_split, value
from wembed.report.words import NO_BREAK, folded, short

INVARIANCE, ROBUSTNESS = "invariance", "robustness"
CHANGE, STRANGER = "largest_change", "nearest_stranger"
_FOUND, _MOVED = "recall@1 ", "moved "
_LEAST = 1e-17  # a change that a logarithmic scale can show
_LINE = 0.2  # inches of an encoder
_LEGEND = 4  # names in a line of the legend
_CIRCLE, _SQUARE = Kind("#0072B2", "white", "o"), Kind("white", "black", "s")
_TICK = 9  # characters of a damage in a line


def moved_names(evaluation: Evaluation) -> list[str]:
    """The encoders and baselines whose invariance was measured, over all architectures or on one shape."""
    rows = [row for row in rows_of(evaluation, INVARIANCE) if row.metric == CHANGE and row.value is not None]
    return names(rows)


def damages(evaluation: Evaluation) -> list[str]:
    """The kinds of damage, in the order in which they were done."""
    found = [row.metric for row in rows_of(evaluation, ROBUSTNESS, TEST) if row.metric.startswith(_FOUND)]
    return [metric.removeprefix(_FOUND) for metric in dict.fromkeys(found)]


def invariance(evaluation: Evaluation) -> Figure:
    """A line per encoder, on a logarithmic scale: the largest change, and the nearest stranger."""
    everyone, main = moved_names(evaluation), main_encoder(evaluation)
    figure = new_figure(1.1 + _LINE * len(everyone))
    axes = figure.subplots()
    for place, name in enumerate(everyone):
        change, stranger = (_measured(evaluation, name, metric) for metric in (CHANGE, STRANGER))
        if change is not None and stranger is not None:
            axes.plot([max(change, _LEAST), max(stranger, _LEAST)], [place] * 2, color="#BBBBBB", linewidth=1, zorder=1)
        for number, look in ((change, _CIRCLE), (stranger, _SQUARE)):
            if number is not None:
                axes.scatter(
                    max(number, _LEAST), place, s=26, marker=look.marker, c=look.face, edgecolors=look.edge, zorder=2
                )
    axes.set_xscale("log")
    plain_powers(axes.xaxis)
    axes.set_yticks(range(len(everyone)), [short(name) for name in everyone])
    axes.set_ylim(len(everyone) - 0.5, -0.5)
    for name, label in zip(everyone, axes.get_yticklabels(), strict=True):
        label.set_fontweight("bold" if name == main else "normal")
    axes.set_xlabel("distance, as a share of the embedding's length")
    axes.set_title("Permuted and rescaled copies")
    entries = [
        dot(label, look.marker, look.face, look.edge)
        for label, look in (("largest change of a copy", _CIRCLE), ("nearest stranger, same configuration", _SQUARE))
    ]
    figure.legend(handles=entries, loc="outside lower center", ncols=2)
    return figure


def robustness(evaluation: Evaluation) -> Figure:
    """A place per damage, a line per encoder: what is found above, how far it moved below."""
    kinds = damages(evaluation)
    rows = [row for row in rows_of(evaluation, ROBUSTNESS, TEST) if row.value is not None]
    everyone = [name for name in names(rows) if not is_control(name)]
    looks, main = encoder_looks(everyone), main_encoder(evaluation)
    figure = new_figure(4.6 + 0.17 * -(-len(everyone) // _LEGEND))
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, start in ((above, _FOUND), (below, _MOVED)):
        for name in everyone:
            numbers = [value(evaluation, ROBUSTNESS, name, start + kind) for kind in kinds]
            _line(axes, numbers, looks[name], 2.0 if name == main else 1.2)
    above.set_ylim(-0.03, 1.04)
    above.set_ylabel("Recall@1")
    above.set_title("Damaged copies")
    below.set_yscale("log")
    plain_powers(below.yaxis)
    below.axhline(1, color=INK, linewidth=0.9, linestyle="--")
    below.set_ylabel("change / distance to\nthe nearest stranger")
    below.set_xticks(range(len(kinds)), [folded(kind.replace(" %", f"{NO_BREAK}%"), _TICK) for kind in kinds])
    figure.legend(handles=[_entry(name, looks[name]) for name in everyone], loc="outside lower center", ncols=_LEGEND)
    return figure


def _measured(evaluation: Evaluation, name: str, metric: str) -> float | None:
    """A number over all architectures, else on one shape."""
    for split in (TEST, shape_split(evaluation)):
        if split and (found := find(evaluation, INVARIANCE, name, metric, split)):
            return found.value
    return None


def _line(axes: Axes, numbers: Sequence[float | None], look: Look, width: float) -> None:
    known = [(place, number) for place, number in enumerate(numbers) if number is not None]
    axes.plot(
        [place for place, _ in known], [max(number, _LEAST) for _, number in known], color=look.colour,
        linestyle=look.dashes, marker=look.marker, markersize=4.5, linewidth=width, markeredgecolor="white",
        markeredgewidth=0.4,
    )  # fmt: skip


def _entry(name: str, look: Look) -> Line2D:
    return Line2D(
        [], [], color=look.colour, linestyle=look.dashes, marker=look.marker, markersize=4.5, linewidth=1.2,
        label=short(name),
    )  # fmt: skip
