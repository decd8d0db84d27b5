"""The figures of a card in; those out that the catalog's columns are about, and all of them beside.

A card may give accuracies on many data sets. One is comparable where it is the only one of its kind of split.
"""

from collections.abc import Sequence

from wembed.hub.repository import Metric

# The column for each split of a data set; "" is what cards leave out where they mean the test set.
_COLUMNS = {
    "": "accuracy",
    "test": "accuracy",
    "validation": "validation_accuracy",
    "dev": "validation_accuracy",
    "train": "train_accuracy",
}
_ACCURACY = "accuracy"


def comparable_scores(metrics: Sequence[Metric]) -> dict[str, object]:
    """Gives the values of the catalog's columns for accuracies and their data set.

    Args:
        metrics: of a card; an accuracy above 1 is taken for per cent.
    """
    accuracies = [metric for metric in metrics if metric.kind.lower() == _ACCURACY and 0 <= metric.value <= 100]
    datasets = {metric.dataset for metric in accuracies}
    if len(datasets) != 1:
        return {}
    values: dict[str, set[float]] = {}
    for metric in accuracies:
        column = _COLUMNS.get(metric.split.lower())
        if column:
            values.setdefault(column, set()).add(_share(metric.value))
    found: dict[str, object] = {column: shares.pop() for column, shares in values.items() if len(shares) == 1}
    return {"dataset": datasets.pop(), **found} if found else {}


def all_scores(metrics: Sequence[Metric]) -> dict[str, float]:
    """Gives every figure, by kind, data set and split."""
    return {" ".join(filter(None, (metric.kind, metric.dataset, metric.split))): metric.value for metric in metrics}


def _share(value: float) -> float:
    return value if value <= 1 else value / 100
