"""Predictions and where their networks come from in; those that the heads were not fitted for withheld out.

A head answers for any vector. It is believed for networks of a structure that it was fitted on, as near to its
examples as new runs of their kind are; of all others no accuracy is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, assign_splits
from wembed.prediction.predictor import Predictions

LEAST_RUNS = 2  # of a structure that counts as fitted on: one network alone shows no kind of network


def fitted_structures(
    rows: Sequence[CatalogRow], vectors: Mapping[str, NDArray[np.floating]], split_seed: int, hold_out: str = ""
) -> frozenset[str]:
    """Gives the structures that `fit_on_rows` fits its heads on, by signature.

    Args:
        rows: of the zoo.
        vectors: id -> embedding; rows without one are passed over.
        split_seed: of the split into training, validation and test runs.
        hold_out: see `assign_splits`.
    """
    splits = assign_splits(rows, split_seed, hold_out)
    runs: dict[str, set[str]] = {}
    for row in rows:
        if row.accuracy is not None and row.id in vectors and splits[row.id] == "train":
            runs.setdefault(row.structure, set()).add(row.run or row.id)
    return frozenset(structure for structure, found in runs.items() if structure and len(found) >= LEAST_RUNS)


def withhold(predictions: Predictions, is_fitted: NDArray[np.bool_]) -> Predictions:
    """Takes back what is predicted of networks out of domain: their values and intervals are not a number.

    Args:
        predictions: of M networks.
        is_fitted: whether each is of a structure that the heads were fitted on, [M].
    """
    inside = predictions.in_domain & is_fitted
    values, low, high = (
        np.where(inside, part, np.nan) for part in (predictions.values, predictions.low, predictions.high)
    )
    return replace(predictions, values=values, low=low, high=high, in_domain=inside)
