"""Calibration: how often intervals hold the truth, beside how often they say that they do."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from wembed.evaluate.results import Calibration, Evaluation
from wembed.report.calibration import band, independent_cases
from wembed.report.figures.style import INK, PALE, Look, encoder_looks, new_figure
from wembed.report.words import short

_STEPS = 101
_TITLES = {"test": "held-out runs", "zero-shot": "data set never seen"}
_LEGEND = 3  # names in a line of the legend


def calibration(evaluation: Evaluation) -> Figure:
    """A panel per split, a line per encoder or baseline, and what chance alone allows."""
    splits = list(dict.fromkeys(found.split for found in evaluation.calibration))
    everyone = list(dict.fromkeys(found.encoder for found in evaluation.calibration))
    looks = encoder_looks(everyone)
    lowest = min(level for found in evaluation.calibration for level in (0.5, *found.levels, *found.coverages)) - 0.03
    figure = new_figure(4.4 if len(splits) > 1 else 5.0)
    panels = figure.subplots(1, len(splits), squeeze=False, sharey=True)[0]
    for split, axes in zip(splits, panels, strict=True):
        axes.set_xlim(lowest, 1.01)
        axes.set_ylim(lowest, 1.01)
        _panel(axes, [found for found in evaluation.calibration if found.split == split], looks)
        count = independent_cases(evaluation, split)
        if count:
            _band(axes, count)
        axes.set_title(_TITLES.get(split, split) + (f", {count} runs" if count else ""))
    panels[0].set_ylabel("measured: share of intervals that hold the truth")
    entries = [_entry(name, looks[name]) for name in everyone]
    exact = Line2D([], [], color=INK, linewidth=1, linestyle="--", label="as stated")
    chance = Patch(color=PALE, alpha=0.25, label="95 % of cases, by chance alone")
    figure.legend(handles=[*entries, exact, chance], loc="outside lower center", ncols=_LEGEND)
    return figure


def _panel(axes: Axes, found: Sequence[Calibration], looks: dict[str, Look]) -> None:
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--", zorder=1)
    for one in found:
        look = looks[one.encoder]
        axes.plot(
            one.levels, one.coverages, color=look.colour, marker=look.marker, markersize=5, linewidth=1.3,
            linestyle=look.dashes, markeredgecolor="white", markeredgewidth=0.5, zorder=3,
        )  # fmt: skip
    axes.set_aspect("equal")
    axes.set_xlabel("stated: level of the interval")


def _band(axes: Axes, count: int) -> None:
    levels = [step / (_STEPS - 1) for step in range(_STEPS)]
    bands = [band(level, count) for level in levels]
    lows, highs = [one.low for one in bands], [one.high for one in bands]
    axes.fill_between(levels, lows, highs, color=PALE, alpha=0.25, linewidth=0, zorder=0)


def _entry(name: str, look: Look) -> Line2D:
    return Line2D(
        [], [], color=look.colour, marker=look.marker, markersize=5, linestyle=look.dashes, linewidth=1.3,
        label=short(name),
    )  # fmt: skip
