"""Retrieval curves: how often the right checkpoint is among the nearest k, for every encoder and baseline."""

from collections import defaultdict
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from wembed.evaluate.results import Evaluation, RecallCurve
from wembed.report.figures.style import Look, columns_of, encoder_looks, new_figure
from wembed.report.lookup import TEST, is_control, main_encoder, retrieval_tasks, rows_of, shape_split
from wembed.report.tasks import wording
from wembed.report.words import folded, short

_DEPTHS = (1, 5, 10)  # of the rows, where no curve was kept
_TITLE = 30  # characters of a line
_LEGEND = 4  # names in a line of the legend


def over_all(evaluation: Evaluation) -> Figure:
    """Among checkpoints of all architectures."""
    return _draw(evaluation, TEST)


def of_one_shape(evaluation: Evaluation) -> Figure:
    """Among checkpoints of one shape, where those take part that know one shape only."""
    return _draw(evaluation, shape_split(evaluation) or "")


def recall_curves(evaluation: Evaluation, split: str) -> dict[str, list[RecallCurve]]:
    """Task -> the curves of a split; of an evaluation that kept none, what its rows say."""
    found: dict[str, list[RecallCurve]] = defaultdict(list)
    for curve in evaluation.recall or _from_rows(evaluation):
        if curve.split == split and not is_control(curve.encoder) and curve.depths:
            found[curve.task].append(curve)
    return dict(found)


def _from_rows(evaluation: Evaluation) -> list[RecallCurve]:
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for task in retrieval_tasks(evaluation):
        known = {(row.encoder, row.split, row.metric): row.value for row in rows_of(evaluation, task)}
        for encoder, split, _ in known:
            values = [known.get((encoder, split, f"recall@{depth}")) for depth in _DEPTHS]
            present = [value for value in values if value is not None]
            if len(present) == len(_DEPTHS):
                found[task, encoder, split] = present
    return [RecallCurve(*key, _DEPTHS, tuple(values)) for key, values in found.items()]


def _draw(evaluation: Evaluation, split: str) -> Figure:
    curves = recall_curves(evaluation, split)
    everyone = list(dict.fromkeys(curve.encoder for of_task in curves.values() for curve in of_task))
    looks, main = encoder_looks(everyone), main_encoder(evaluation)
    columns = columns_of(len(curves))
    lines = -(-len(curves) // columns)
    figure = new_figure(0.7 + 2.3 * lines + 0.17 * -(-len(everyone) // _LEGEND))
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True)
    for (task, of_task), axes in zip(curves.items(), panels.flat, strict=False):
        _panel(axes, of_task, looks, main)
        axes.set_title(folded(wording(task).aim, _TITLE))
    for axes in panels.flat[len(curves) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel("Recall@k")
    figure.legend(
        handles=[_entry(name, looks[name], main) for name in everyone], loc="outside lower center", ncols=_LEGEND
    )
    return figure


def _panel(axes: Axes, curves: Sequence[RecallCurve], looks: dict[str, Look], main: str) -> None:
    for curve in curves:
        look = looks[curve.encoder]
        axes.plot(
            curve.depths, curve.values, color=look.colour, linestyle=look.dashes, marker=look.marker, markersize=3.6,
            linewidth=_width(curve.encoder, main), markeredgecolor="white", markeredgewidth=0.4,
        )  # fmt: skip
    depths = sorted({depth for curve in curves for depth in curve.depths})
    axes.set_xscale("log")
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-0.03, 1.04)
    axes.set_xlabel("k")


def _width(name: str, main: str) -> float:
    return 2.0 if name == main else 1.2


def _entry(name: str, look: Look, main: str) -> Line2D:
    return Line2D(
        [], [], color=look.colour, linestyle=look.dashes, marker=look.marker, markersize=4,
        linewidth=_width(name, main), label=short(name),
    )  # fmt: skip
