"""One path between two networks as a figure: accuracy and loss beside each other, naive and aligned."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wembed.merging import PathCurve
from wembed.report.figures.curves import COLOURS
from wembed.report.figures.style import new_figure, save_png, styled
from wembed.report.words import drawable

_DASHES = {"naive": "--", "aligned": "-"}
_MARKS = {"naive": "s", "aligned": "o"}
_MOST_MARKS = 31  # points: more marks than that hide the line


def draw_path(curve: PathCurve, title: str) -> Figure:
    """Accuracy on the left, loss on the right.

    Args:
        curve: what to draw.
        title: above it.
    """
    figure = new_figure(3.2)
    left, right = figure.subplots(1, 2)
    t = [point.t for point in curve.points]
    for method in COLOURS:
        _line(left, t, [getattr(point, f"{method}_accuracy") for point in curve.points], method)
        _line(right, t, [getattr(point, f"{method}_loss") for point in curve.points], method)
    for axes, label in ((left, "accuracy on held-out inputs"), (right, "loss (cross entropy, nats)")):
        axes.set_xlabel("t")
        axes.set_ylabel(label)
        axes.set_xlim(0, 1)
    left.legend()
    figure.suptitle(drawable(title))
    return figure


def save_path(curve: PathCurve, title: str, place: Path) -> None:
    """Writes the figure of a path as a PNG."""
    with styled():
        save_png(draw_path(curve, title), place)


def _line(axes: Axes, t: Sequence[float], values: Sequence[float], method: str) -> None:
    mark = _MARKS[method] if len(t) <= _MOST_MARKS else ""
    axes.plot(t, values, color=COLOURS[method], linestyle=_DASHES[method], marker=mark, markersize=3, label=method)
