"""How trainings went: loss and validation score by epoch, and the epoch that was kept."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wembed.evaluate.results import Evaluation, TrainingCurve
from wembed.report.figures.style import INK, SMALL, columns_of, new_figure
from wembed.report.words import short

_LOSS, _VALIDATION = "#0072B2", "#D55E00"


def training(evaluation: Evaluation) -> Figure:
    """A panel per encoder: loss on the left scale, and the validation score on the right where it is no loss."""
    curves = evaluation.training
    columns = columns_of(len(curves))
    lines = -(-len(curves) // columns)
    figure = new_figure(0.6 + (2.0 if columns > 1 else 3.2) * lines)
    panels = figure.subplots(lines, columns, squeeze=False)
    for curve, axes in zip(curves, panels.flat, strict=False):
        _panel(axes, curve)
    for axes in panels.flat[len(curves) :]:
        axes.set_visible(False)
    figure.legend(handles=_entries(), loc="outside lower center", ncols=3)
    return figure


def _panel(axes: Axes, curve: TrainingCurve) -> None:
    is_loss = "loss" in curve.metric
    axes.plot(curve.epochs, curve.loss, color=_LOSS, linewidth=1.5)
    right = axes if is_loss else axes.twinx()
    right.plot(curve.epochs, curve.validation, color=_VALIDATION, linewidth=1.5, linestyle="--")
    if not is_loss:
        right.grid(visible=False)
        right.spines["right"].set_visible(True)
        right.set_ylabel(curve.metric.replace("_", " "), fontsize=SMALL)
    axes.axvline(curve.chosen, color=INK, linewidth=0.8, linestyle=":")
    chosen = dict(zip(curve.epochs, curve.validation, strict=True)).get(curve.chosen)
    if chosen is not None and math.isfinite(chosen):
        right.plot(curve.chosen, chosen, marker="o", markersize=5, color="white", markeredgecolor=_VALIDATION, zorder=5)
    axes.set_title(f"{short(curve.encoder)}\nkept: epoch {curve.chosen} of {max(curve.epochs, default=0)}")
    axes.set_xlabel("epoch", fontsize=SMALL)
    axes.set_xmargin(0.04)


def _entries() -> list[Line2D]:
    return [
        Line2D([], [], color=_LOSS, linewidth=1.5, label="training loss"),
        Line2D([], [], color=_VALIDATION, linewidth=1.5, linestyle="--", label="validation runs"),
        Line2D(
            [], [], linestyle=":", color=INK, marker="o", markerfacecolor="white", markeredgecolor=_VALIDATION,
            label="epoch that was kept",
        ),
    ]  # fmt: skip
