"""Bars: how often each encoder and baseline finds what it should, how well each orders networks, and what is left out.

A line per encoder, a panel per measure. The bar is the value over all architectures, a diamond the same among
checkpoints of one shape, where those take part that know one shape only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from wembed.evaluate.results import Evaluation, Result
from wembed.report.figures.style import INK, PALE, SMALL, Look, columns_of, encoder_looks, new_figure
from wembed.report.lookup import (
    ACCURACY,
    CHANCE,
    COMPARED,
    HELD_OUT,
    TEST,
    ZERO_SHOT,
    bare,
    find,
    is_asked,
    is_control,
    is_of_some,
    is_variant,
    main_encoder,
    names,
    retrieval_tasks,
    rows_of,
    shape_split,
    splits,
    whisker_words,
    whiskers,
)
from wembed.report.tasks import wording
from wembed.report.words import folded, short

_TITLE = 26  # characters of a line of a title
_WIDE = 90  # of a line of the legend
_LINE = 0.185  # inches of a bar and its neighbour's distance


@dataclass(frozen=True)
class _Measure:
    """What a panel shows."""

    title: str
    task: str
    metric: str
    split: str = TEST


def retrieval(evaluation: Evaluation) -> Figure:
    """Recall@1, a panel per task."""
    tasks = [task for task in retrieval_tasks(evaluation) if is_asked(evaluation, task, TEST)]
    measures = [_Measure(f"Recall@1: {wording(task).aim}", task, "recall@1") for task in tasks]
    return _panels(evaluation, measures, [name for task in tasks for name in _measured(evaluation, task, "recall@1")])


def alignment(evaluation: Evaluation) -> Figure:
    """Recall@1 on those queries that pairwise alignment was tried on."""
    found = aligned_splits(evaluation)
    measures = [_Measure(f"Recall@1: {wording(task).aim}", task, "recall@1", split) for task, split in found.items()]
    return _panels(evaluation, measures, _names([row for pair in found.items() for row in rows_of(evaluation, *pair)]))


def aligned_splits(evaluation: Evaluation) -> dict[str, str]:
    """Task -> the split of those queries that pairwise alignment was tried on."""
    every = {task: splits(rows_of(evaluation, task)) for task in retrieval_tasks(evaluation)}
    return {task: split for task, found in every.items() for split in found if is_of_some(split)}


def prediction(evaluation: Evaluation) -> Figure:
    """How well accuracy is ordered, on held-out runs and on the sealed data set, as a share of what is possible."""
    sealed = [_Measure("tau / tau max, data set never seen", ZERO_SHOT, "tau/tau_max", ZERO_SHOT)]
    measures = [_Measure("tau / tau max, held-out runs", "prediction", "tau/tau_max")]
    measures += sealed if _measured(evaluation, ZERO_SHOT, "tau/tau_max") else []
    measures += [_Measure("R², held-out runs", "prediction", "r2")]
    return _panels(evaluation, measures, _measured(evaluation, "prediction", "tau/tau_max"))


def ablation(evaluation: Evaluation) -> Figure:
    """The main encoder beside those that lack or change a part of it."""
    tasks = [task for task in retrieval_tasks(evaluation) if is_asked(evaluation, task, TEST)]
    measures = [_Measure(f"Recall@1: {wording(task).aim}", task, "recall@1") for task in tasks]
    chosen = [*measures[:2], _Measure("tau / tau max, held-out runs", "prediction", "tau/tau_max")]
    return _panels(evaluation, chosen, [main_encoder(evaluation), *variants(evaluation)])


def variants(evaluation: Evaluation) -> list[str]:
    """The encoders that are the main one but for a part: those that are called NAME-VARIANT."""
    own = (row for row in evaluation.results if row.task not in (COMPARED, ACCURACY))  # those name two, A-B
    found = [name for name in names(own) if is_variant(evaluation, name) and not is_control(name)]
    return [name for name in found if bare(name) == name]


def _measured(evaluation: Evaluation, task: str, metric: str) -> list[str]:
    """Who has a number that is of no sample and no part only, the controls left out."""
    rows = [row for row in rows_of(evaluation, task) if row.metric == metric and not is_of_some(row.split)]
    return _names([row for row in rows if not row.split.startswith(HELD_OUT)])


def _names(rows: Sequence[Result]) -> list[str]:
    return [name for name in names(row for row in rows if row.value is not None) if not is_control(name)]


def _panels(evaluation: Evaluation, measures: Sequence[_Measure], everyone: Sequence[str]) -> Figure:
    everyone = list(dict.fromkeys(everyone))
    columns = columns_of(len(measures))
    lines = -(-len(measures) // columns)
    figure = new_figure(0.55 + lines * (0.9 + _LINE * len(everyone)))
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True)
    looks, shape = encoder_looks(everyone), shape_split(evaluation)
    for measure, axes in zip(measures, panels.flat, strict=False):
        _panel(axes, evaluation, measure, everyone, looks, shape)
    for axes in panels.flat[len(measures) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        _name_lines(axes, everyone, main_encoder(evaluation))
    figure.legend(handles=_entries(measures, shape, whisker_words(evaluation)), loc="outside lower center", ncols=1)
    return figure


def _name_lines(axes: Axes, everyone: Sequence[str], main: str) -> None:
    axes.set_yticks(range(len(everyone)), [short(name) for name in everyone])
    axes.set_ylim(len(everyone) - 0.4, -0.6)
    for name, label in zip(everyone, axes.get_yticklabels(), strict=True):
        label.set_fontweight("bold" if name == main else "normal")


def _panel(
    axes: Axes, evaluation: Evaluation, measure: _Measure, everyone: Sequence[str], looks: dict[str, Look],
    shape: str | None,
) -> None:  # fmt: skip
    least = 0.0
    shape = shape if shape and measure.split == TEST and is_asked(evaluation, measure.task, shape) else None
    for place, name in enumerate(everyone):
        whole = find(evaluation, measure.task, name, measure.metric, measure.split)
        part = find(evaluation, measure.task, name, measure.metric, shape) if shape else None
        _bar(axes, place, whole, part, looks[name])
        least = min([least, *(number for row in (whole, part) if row for number in _reached(row))])
    axes.axvline(0, color=PALE, linewidth=0.8)
    chance = find(evaluation, measure.task, CHANCE, measure.metric, measure.split)
    if chance and chance.value is not None:
        axes.axvline(chance.value, color=INK, linewidth=0.9, linestyle=":")
    by_part = find(evaluation, measure.task, CHANCE, measure.metric, shape) if shape else None
    if by_part and by_part.value is not None:
        axes.axvline(by_part.value, color=PALE, linewidth=0.9, linestyle="-.")
    axes.set_xlim(max(least - 0.05 if least < 0 else 0.0, -1.0), 1.28)
    axes.set_xticks([0, 0.5, 1.0], ["0", ".5", "1"])
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_title(folded(measure.title, _TITLE))


def _reached(row: Result) -> list[float]:
    """A number and the ends of what is drawn around it."""
    return [] if row.value is None else [row.value, *(whiskers(row) or ())]


def _bar(axes: Axes, place: int, whole: Result | None, part: Result | None, look: Look) -> None:
    right = 0.0
    if whole and whole.value is not None:
        low, high = whiskers(whole) or (whole.value, whole.value)
        reach = [[max(whole.value - low, 0.0)], [max(high - whole.value, 0.0)]]
        axes.barh(place, whole.value, 0.66, color=look.colour, xerr=reach, ecolor=INK, error_kw={"elinewidth": 0.9})
        right = max(high, whole.value)
    if part and part.value is not None:
        axes.plot(part.value, place, marker="D", markersize=3.6, color="white", markeredgecolor="black", zorder=4)
        right = max(right, part.value + 0.02)
    shown = whole or part
    text = "n/a" if shown is None or shown.value is None else f"{shown.value:.2f}".replace("0.", ".")
    tone = INK if whole else PALE
    axes.annotate(
        text, (max(right, 0.0), place), (4, 0), textcoords="offset points", va="center", size=SMALL, color=tone
    )


def _entries(measures: Sequence[_Measure], shape: str | None, around: str) -> list[Patch | Line2D]:
    if all(is_of_some(measure.split) for measure in measures):
        return [Patch(color="#777777", label=f"{_shown_in(measures[0].split)}\nwith the {around}")]
    bar = Patch(color="#777777", label=f"all architectures, with the {around}; dark number: value")
    if not shape:
        return [bar]
    diamond = Line2D(
        [], [], linestyle="", marker="D", markersize=3.6, markerfacecolor="white", markeredgecolor="black",
        label=f"among one shape only; pale number: value\n({_shown_in(shape)})",
    )  # fmt: skip
    return [bar, diamond]


def _shown_in(split: str) -> str:
    """The configurations of a split, in lines of a legend."""
    return folded(split.partition(":")[2].rpartition("/")[0 if is_of_some(split) else 2].replace("+", ", "), _WIDE)
