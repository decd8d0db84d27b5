"""An evaluation in; out the charts of the page: retrieval, calibration, training and merging."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from wembed.evaluate.results import Curve, Evaluation, RecallCurve
from wembed.report.lookup import TEST, is_of_some, main_encoder, names
from wembed.report.page.chart import LOOKS, Chart, Line, Scale, figure, shares, spanning
from wembed.report.page.text import escaped

_MOST = 12  # charts of one kind; the files beside the page hold the rest
_METHODS = ("naive", "aligned")


def all_charts(evaluation: Evaluation) -> str:
    """All charts that there are numbers for, kind by kind, as elements of the page."""
    looks = _looks(evaluation)
    kinds = {
        "Retrieval": ("How often the one that is sought is among the first k.", _recall(evaluation, looks)),
        "Calibration": (
            "How often intervals hold the truth, by what they promise. On the thin line they keep it.",
            _calibration(evaluation, looks),
        ),
        "Training": ("The thin upright line is at the epoch that was kept.", _training(evaluation)),
        "Merging": ("Accuracy between two networks, averaged over pairs.", _merging(evaluation.curves)),
    }
    return "".join(_kind(name, said, charts) for name, (said, charts) in kinds.items() if charts)


def _kind(name: str, said: str, charts: Sequence[Chart]) -> str:
    left = len(charts) - _MOST
    more = f" The first {_MOST} of {len(charts)} are shown." if left > 0 else ""
    drawn = "".join(figure(chart) for chart in charts[:_MOST])
    return f'<h3>{escaped(name)}</h3><p class="quiet">{escaped(said)}{more}</p><div class="charts">{drawn}</div>'


def _looks(evaluation: Evaluation) -> dict[str, int]:
    """One look for each encoder and baseline in all charts, the main one's first."""
    drawn = {curve.encoder for curve in evaluation.recall} | {curve.encoder for curve in evaluation.calibration}
    everyone = dict.fromkeys([main_encoder(evaluation), *names(evaluation.results), *sorted(drawn)])
    return {name: place % LOOKS for place, name in enumerate(name for name in everyone if name in drawn)}


def _recall(evaluation: Evaluation, looks: Mapping[str, int]) -> list[Chart]:
    charts = []
    for (task, split), curves in _grouped(evaluation.recall).items():
        depths = tuple(sorted({depth for curve in curves for depth in curve.depths}))
        x = Scale("k", depths[0], depths[-1], depths, logarithmic=True)
        lines = [Line(curve.encoder, curve.depths, curve.values, looks[curve.encoder]) for curve in curves]
        title = task.removeprefix("retrieval-").replace("-", " ") + _of_split(split)
        charts.append(Chart(title, x, shares("Recall@k"), lines))
    return charts


def _of_split(split: str) -> str:
    """What a title says of a split: nothing of the usual one, of one shape its label."""
    label = split.partition(":")[2]
    if is_of_some(split):
        shapes, _, count = label.rpartition("/")
        return f", {count} queries of {shapes.replace('+', ', ')}"
    return f", only {label.replace('+', ', ')}" if label else "" if split == TEST else f", {split}"


def _grouped(curves: Iterable[RecallCurve]) -> dict[tuple[str, str], list[RecallCurve]]:
    found = defaultdict(list)
    for curve in curves:
        if curve.depths:
            found[curve.task, curve.split].append(curve)
    return found


def _calibration(evaluation: Evaluation, looks: Mapping[str, int]) -> list[Chart]:
    charts = []
    for split in dict.fromkeys(found.split for found in evaluation.calibration):
        rows = [found for found in evaluation.calibration if found.split == split]
        lines = [Line(found.encoder, found.levels, found.coverages, looks[found.encoder]) for found in rows]
        charts.append(Chart(split, shares("promised"), shares("measured"), lines, diagonal=True))
    return charts


def _training(evaluation: Evaluation) -> list[Chart]:
    charts = []
    for found in evaluation.training:
        if not found.epochs:
            continue
        ends = float(min(found.epochs)), float(max(found.epochs))
        x = Scale("epoch", *ends, (ends[0], float(found.chosen), ends[1]) if ends[0] < found.chosen < ends[1] else ends)
        for name, values in (("training loss", found.loss), (_score(found.metric), found.validation)):
            if any(map(math.isfinite, values)):
                line = Line(name, found.epochs, values, 0 if values is found.loss else 1)
                title = f"{found.encoder}: {name}"
                charts.append(Chart(title, x, spanning(name, values), [line], mark=float(found.chosen)))
    return charts


def _score(metric: str) -> str:
    """A score on validation runs, which some name so themselves."""
    return metric if metric.startswith("validation") else f"validation {metric}"


def _merging(curves: Sequence[Curve]) -> list[Chart]:
    charts = []
    for label in dict.fromkeys(curve.label for curve in curves):
        own = [curve for curve in curves if curve.label == label]
        pairs = [curve for curve in own if curve.t == own[0].t]
        methods = [method for method in _METHODS if all(method in pair.accuracy for pair in pairs)]
        lines = [
            Line(method, pairs[0].t, _mean([pair.accuracy[method] for pair in pairs]), _METHODS.index(method))
            for method in methods
        ]
        counted = f"{label}, {len(pairs)} pair{'s' if len(pairs) > 1 else ''}"
        charts.append(Chart(counted, shares("from one network to the other"), shares("accuracy"), lines))
    return charts


def _mean(lines: Sequence[Sequence[float]]) -> list[float]:
    return [float(value) for value in np.mean(np.array(lines, dtype=np.float64), axis=0)]
