"""Accuracy and loss along the straight line between two networks, before and after matching their neurons."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from wembed.evaluate.results import Curve, Evaluation
from wembed.report.figures.style import PALE, new_figure, plain_powers
from wembed.report.words import folded

Line = tuple[float, ...]

COLOURS = {"naive": "#D55E00", "aligned": "#0072B2"}
MOST_PANELS = 4
_TITLE = 88  # characters of all titles in a line
_DASHES = {"naive": "--", "aligned": "-"}
_WIDE_RANGE = 20  # largest over median loss, above which a logarithmic scale shows more


def interpolation(evaluation: Evaluation) -> Figure:
    """A column for each of the labels with most pairs: accuracy above, loss below."""
    groups = groups_of(evaluation)
    figure = new_figure(5.2)
    panels = figure.subplots(2, len(groups), squeeze=False, sharex=True, sharey="row")
    for column, (label, curves) in enumerate(groups.items()):
        _panel(panels[0][column], curves, [curve.accuracy for curve in curves])
        _panel(panels[1][column], curves, [curve.loss for curve in curves])
        title = folded(label, _TITLE // len(groups))
        panels[0][column].set_title(f"{title}\n{len(curves)} {'pairs' if len(curves) > 1 else 'pair'}")
        panels[1][column].set_xlabel("t")
    panels[0][0].set_ylabel("accuracy on held-out inputs")
    panels[1][0].set_ylabel("loss (cross entropy, nats)")
    if _is_wide(curve for curves in groups.values() for curve in curves):
        panels[1][0].set_yscale("log")
        plain_powers(panels[1][0].yaxis)
    figure.legend(handles=_entries(), loc="outside lower center", ncols=2, title="t = 0 and t = 1 are the two networks")
    return figure


def groups_of(evaluation: Evaluation) -> dict[str, list[Curve]]:
    """The labels that are drawn, those with most pairs first."""
    groups: dict[str, list[Curve]] = defaultdict(list)
    for curve in evaluation.curves:
        groups[curve.label].append(curve)
    ordered = sorted(groups.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return dict(ordered[:MOST_PANELS])


def _panel(axes: Axes, curves: Sequence[Curve], values: Sequence[dict[str, tuple[float, ...]]]) -> None:
    for method, colour in COLOURS.items():
        lines = [(curve.t, value[method]) for curve, value in zip(curves, values, strict=True) if method in value]
        for t, line in lines:
            axes.plot(t, line, color=colour, linewidth=0.6, alpha=0.3, linestyle=_DASHES[method])
        if lines:
            t = lines[0][0]
            stacked = _at(t, lines)
            low, high = np.percentile(stacked, [25, 75], axis=0)
            axes.fill_between(t, low, high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(t, stacked.mean(axis=0), color=colour, linewidth=2.0, linestyle=_DASHES[method])
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "¼", "½", "¾", "1"])


def _at(t: Line, lines: Sequence[tuple[Line, Line]]) -> NDArray[np.float64]:
    """Lines at common places, [pairs, T]."""
    return np.stack([np.interp(t, places, values) for places, values in lines])


def _is_wide(curves: Iterable[Curve]) -> bool:
    losses = [loss for curve in curves for line in curve.loss.values() for loss in line]
    return bool(losses) and min(losses) > 0 and max(losses) > _WIDE_RANGE * float(np.median(losses))


def _entries() -> list[Line2D | Patch]:
    lines: list[Line2D | Patch] = [
        Line2D([], [], color=colour, linewidth=2.0, linestyle=_DASHES[method], label=f"{method}, mean of pairs")
        for method, colour in COLOURS.items()
    ]
    band = Patch(color=PALE, alpha=0.3, label="middle half of pairs")
    return [*lines, band, Line2D([], [], color=PALE, linewidth=0.6, label="one pair")]
