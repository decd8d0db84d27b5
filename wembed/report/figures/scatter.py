"""Predicted against true accuracy, the main encoder beside the best baseline, each point with its interval."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wembed.evaluate.results import Evaluation, Predicted
from wembed.metrics import kendall_tau, r2
from wembed.report.figures.style import INK, dot, encoder_looks, markers, new_figure
from wembed.report.lookup import TEST, ZERO_SHOT, best, is_control, is_variant, main_encoder, rows_of
from wembed.report.words import short

_FEW = 60  # points: more of them are drawn fainter


def predicted_against_true(evaluation: Evaluation) -> Figure:
    """Checkpoints of held-out runs."""
    return _draw(evaluation, "prediction", TEST, evaluation.predictions)


def zero_shot(evaluation: Evaluation) -> Figure:
    """Checkpoints of a data set that no training network saw."""
    return _draw(evaluation, ZERO_SHOT, ZERO_SHOT, evaluation.zero_shot)


def shown(evaluation: Evaluation, task: str, split: str, predictions: Mapping[str, Sequence[Predicted]]) -> list[str]:
    """The main encoder, and the baseline that orders a split best of those whose predictions are there."""
    main = main_encoder(evaluation)
    others = [name for name in predictions if name != main and not is_control(name)]
    others = [name for name in others if not is_variant(evaluation, name)]
    rival = best((row for row in rows_of(evaluation, task, split) if row.encoder in others), "tau")
    found = [main, rival.encoder if rival else next(iter(others), "")]
    return [name for name in found if predictions.get(name)]


def _draw(evaluation: Evaluation, task: str, split: str, predictions: Mapping[str, Sequence[Predicted]]) -> Figure:
    pair = shown(evaluation, task, split, predictions)
    looks = encoder_looks(pair)
    forms = markers(sorted({point.dataset for name in pair for point in predictions[name]}))
    figure = new_figure(4.5 if len(pair) > 1 else 5.6)
    panels = figure.subplots(1, len(pair), squeeze=False, sharey=True)[0]
    for name, axes in zip(pair, panels, strict=True):
        _panel(axes, predictions[name], looks[name].colour, forms)
        axes.set_title(_title(name, predictions[name]))
    panels[0].set_ylabel("predicted accuracy")
    handles = [dot(name, form, "#777777", "white") for name, form in forms.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), title="data set")
    return figure


def _panel(axes: Axes, points: Sequence[Predicted], colour: str, forms: Mapping[str, str]) -> None:
    faint = 1.0 if len(points) <= _FEW else 0.65
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--", zorder=1)
    axes.vlines(
        [point.true for point in points], [point.low for point in points], [point.high for point in points],
        color=colour, alpha=0.16 * (2 if faint == 1 else 1), linewidth=1.0, zorder=2,
    )  # fmt: skip
    for dataset, form in forms.items():
        chosen = [point for point in points if point.dataset == dataset]
        places = [point.true for point in chosen], [point.value for point in chosen]
        axes.scatter(*places, s=12, marker=form, c=colour, alpha=faint, edgecolors="white", linewidths=0.3, zorder=3)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    axes.set_xlabel("true accuracy on held-out inputs")


def _title(name: str, points: Sequence[Predicted]) -> str:
    """What the points that are drawn say: tables hold means over fits, of which these are the first."""
    known = np.array([(point.true, point.value) for point in points])
    known = known[np.isfinite(known).all(axis=1)]
    numbers = [measure(known[:, 0], known[:, 1]) if len(known) > 1 else None for measure in (kendall_tau, r2)]
    tau, variance = ("n/a" if number is None else f"{number:.3f}" for number in numbers)
    return f"{short(name)}: {len(points)} checkpoints\nKendall's tau {tau}, R² {variance}"
