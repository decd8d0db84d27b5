"""An evaluation in; out what scripts need of it, column by column: words once, places and scores as whole numbers."""

import math
from collections.abc import Iterable, Sequence

from wembed.evaluate.results import Evaluation, MapPoint, Result
from wembed.report.page.text import rounded

SCORE_UNIT = 1e-5  # of a cosine
_PLANE = 65_535  # the map is as many units wide or high
_DIGITS = 4  # of the numbers of a layer

Columns = dict[str, object]


def columns(evaluation: Evaluation) -> Columns:
    """What the page holds of models and of results."""
    counted = evaluation.facts.get("checkpoints")
    placed = [point for point in evaluation.map if math.isfinite(point.x) and math.isfinite(point.y)]
    return {
        "zoo": counted if isinstance(counted, int) else len(evaluation.map),
        "scoreUnit": SCORE_UNIT,
        "models": _models(placed),
        "results": _results(evaluation.results),
    }


def _models(points: Sequence[MapPoint]) -> Columns:
    ids = _Words(point.id for point in points)
    found = {
        "count": len(points),
        "accuracy": [rounded(point.accuracy, 5) for point in points],
        "params": [point.params for point in points],
        "step": [point.step for point in points],
        "parent": [ids.code(point.parent) if point.parent else -1 for point in points],
        "architecture": _coded(point.architecture for point in points),
        "dataset": _coded(point.dataset for point in points),
        "run": _coded(point.run for point in points),
        "family": _coded(point.family for point in points),
        "split": _coded(point.split for point in points),
        "derivation": _coded(point.derivation for point in points),
        "neighbours": [[ids.code(near.id) for near in point.neighbours] for point in points],
        "scores": [[round((rounded(near.score, 9) or 0.0) / SCORE_UNIT) for near in p.neighbours] for p in points],
    }
    return {"ids": ids.words, **_places(points), **found, **_layers(points)}


def _places(points: Sequence[MapPoint]) -> Columns:
    """Whole numbers from 0, in one unit both ways."""
    if not points:
        return {"x": [], "y": []}
    left, low = min(point.x for point in points), min(point.y for point in points)
    width = max(max(point.x for point in points) - left, max(point.y for point in points) - low) or 1.0
    unit = width / _PLANE
    return {
        "x": [round((point.x - left) / unit) for point in points],
        "y": [round((point.y - low) / unit) for point in points],
    }


def _layers(points: Sequence[MapPoint]) -> Columns:
    """Names and shapes once for all models that share them; means and deviations for each model."""
    forms: dict[tuple[tuple[str, tuple[int, ...]], ...], int] = {}
    form = [forms.setdefault(tuple((one.name, one.shape) for one in p.layers), len(forms)) for p in points]
    return {
        "forms": [{"names": [name for name, _ in one], "shapes": [list(shape) for _, shape in one]} for one in forms],
        "form": form,
        "means": [[rounded(one.mean, _DIGITS) for one in point.layers] for point in points],
        "deviations": [[rounded(one.deviation, _DIGITS) for one in point.layers] for point in points],
    }


def _results(rows: Sequence[Result]) -> Columns:
    return {
        "count": len(rows),
        "task": _coded(row.task for row in rows),
        "encoder": _coded(row.encoder for row in rows),
        "metric": _coded(row.metric for row in rows),
        "split": _coded(row.split for row in rows),
        "target": _coded(row.target for row in rows),
        "value": [rounded(row.value, 6) for row in rows],
        "low": [rounded(row.low, 6) for row in rows],
        "high": [rounded(row.high, 6) for row in rows],
        "error": [rounded(row.error, 4) for row in rows],
        "spread": [rounded(row.spread, 4) for row in rows],
        "seeds": [row.seeds for row in rows],
        "n": [row.n for row in rows],
    }


def _coded(values: Iterable[str]) -> Columns:
    words = _Words()
    codes = [words.code(value) for value in values]
    return {"words": words.words, "codes": codes}


class _Words:
    """Numbers words in the order in which they come first.

    Args:
        words: those that have a number from the start: their place, of one that is there twice the first.
    """

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words = list(words)
        self._codes: dict[str, int] = {}
        for place, word in enumerate(self.words):
            self._codes.setdefault(word, place)

    def code(self, word: str) -> int:
        """The number of a word."""
        if word not in self._codes:
            self._codes[word] = len(self.words)
            self.words.append(word)
        return self._codes[word]
