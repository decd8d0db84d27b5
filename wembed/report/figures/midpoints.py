"""What merged pairs reach half-way, beside their endpoints and beside networks that are as far away by chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from wembed.evaluate.results import Curve, Evaluation
from wembed.report.figures.curves import COLOURS
from wembed.report.figures.style import INK, SMALL, new_figure
from wembed.report.lookup import rows_of
from wembed.report.words import drawable

METRIC = "midpoint_accuracy"
ALIGNED = "aligned"
_LINE = 12  # characters of a label
_JITTER = 0.16
_HALF = 0.22  # of the bar that marks a mean
_COLOURS = COLOURS | {"endpoints": "#555555", "noise": "#E69F00", "embedding": "#CC79A7"}
_OTHER = "#009E73"


@dataclass(frozen=True)
class _Strip:
    """One column: single pairs where they are known, and their mean."""

    method: str
    title: str
    values: list[float]
    mean: float
    n: int


def midpoints(evaluation: Evaluation) -> Figure:
    """A strip of pairs per method, with its mean."""
    strips = _strips(evaluation)
    figure = new_figure(3.6)
    axes = figure.subplots()
    for place, strip in enumerate(strips):
        _draw(axes, place, strip)
    titles = [f"{fill(drawable(strip.title), _LINE)}\nn = {strip.n}" for strip in strips]
    axes.set_xticks(range(len(strips)), titles, size=SMALL)
    axes.set_xlim(-0.5, len(strips) - 0.5)
    everything = [value for strip in strips for value in (*strip.values, strip.mean)]
    axes.set_ylim(max(0.0, min(everything) - 0.06), min(1.0, max(everything)) + 0.09)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("accuracy on held-out inputs")
    axes.set_title("Half-way between two networks\nbar and number: mean;  points: single pairs")
    return figure


def _strips(evaluation: Evaluation) -> list[_Strip]:
    """The methods on all pairs, then what was tried on some pairs only, with matching on those beside it."""
    rows = [row for row in rows_of(evaluation, "merging") if row.metric == METRIC and row.value is not None]
    whole = rows[0].split
    strips = [
        _Strip(row.encoder, row.encoder, _single(evaluation.curves, row.encoder), row.value or 0.0, row.n)
        for row in rows
        if row.split == whole
    ]
    known = {strip.method for strip in strips}
    some = {row.split for row in rows if row.encoder not in known}
    for split in sorted(some):
        part = [row for row in rows if row.split == split and (row.encoder == ALIGNED or row.encoder not in known)]
        titles = [f"{row.encoder}, these {row.n} pairs" if row.encoder == ALIGNED else row.encoder for row in part]
        strips += [
            _Strip(row.encoder, title, [], row.value or 0.0, row.n) for row, title in zip(part, titles, strict=True)
        ]
    return strips


def _single(curves: Sequence[Curve], name: str) -> list[float]:
    """The pairs that the curves show; a strip without curves is its mean alone."""
    if name == "endpoints":
        return [sum(ends) / 2 for curve in curves for ends in _ends(curve)]
    known = [curve for curve in curves if name in curve.accuracy]
    return [float(np.interp(0.5, curve.t, curve.accuracy[name])) for curve in known]


def _ends(curve: Curve) -> list[tuple[float, float]]:
    line = curve.accuracy.get("naive")
    return [(line[0], line[-1])] if line else []


def _draw(axes: Axes, place: int, strip: _Strip) -> None:
    colour = _COLOURS.get(strip.method, _OTHER)
    shifts = np.random.default_rng(place).uniform(-_JITTER, _JITTER, len(strip.values))
    axes.scatter(place + shifts, strip.values, s=9, c=colour, alpha=0.45, linewidths=0, zorder=2)
    axes.hlines(strip.mean, place - _HALF, place + _HALF, color=INK, linewidth=2.2, zorder=3)
    above = (place, strip.mean), (0, 2)
    number = axes.annotate(f"{strip.mean:.3f}", *above, textcoords="offset points", ha="center", size=SMALL, zorder=4)
    number.set_path_effects([withStroke(linewidth=2, foreground="white")])  # it stands on points
