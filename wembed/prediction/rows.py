"""Catalog rows and embeddings in; a predictor fitted on the zoo's training and validation runs out."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, Split, assign_splits
from wembed.errors import NotFoundError
from wembed.prediction.examples import Examples
from wembed.prediction.predictor import Predictor, fit_predictor

_SAME = 1e-5  # distance of two unit vectors below which they are one network's


def fit_on_rows(
    rows: Sequence[CatalogRow],
    vectors: Mapping[str, NDArray[np.floating]],
    split_seed: int,
    seed: int = 0,
    hold_out: str = "",
) -> Predictor:
    """Fits a predictor of accuracy on a zoo.

    Args:
        rows: of the zoo.
        vectors: id -> embedding [D], or its learned part; rows without one are passed over.
        split_seed: of the split into training, validation and test runs; the latter are left alone.
        seed: of the fit.
        hold_out: see `assign_splits`.

    Raises:
        NotFoundError: no row has an accuracy.
        TooFewRunsError: too few runs have one.
    """
    check_accuracies(rows)
    splits = assign_splits(rows, split_seed, hold_out)
    train, validation = (_examples(rows, vectors, splits, side) for side in ("train", "validation"))
    return fit_predictor(train, validation, seed)


def check_accuracies(rows: Sequence[CatalogRow]) -> None:
    """Checks that there is something to predict from.

    Raises:
        NotFoundError: no row has an accuracy.
    """
    if all(row.accuracy is None for row in rows):
        hint = (
            "`wembed zoo build` makes checkpoints with accuracies, `wembed zoo add --metadata rows.csv` adds known ones"
        )
        raise NotFoundError(f"no accuracy is known of the zoo's {len(rows)} checkpoints, nothing to predict from", hint)


def known_split(
    vector: NDArray[np.float32],
    rows: Sequence[CatalogRow],
    vectors: Mapping[str, NDArray[np.float32]],
    splits: Mapping[str, Split],
) -> Split | None:
    """The side of the zoo's checkpoint that has an embedding; None if none has it.

    Args:
        vector: of a checkpoint, [D].
        rows: of the zoo.
        vectors: id -> embedding [D].
        splits: id -> side.
    """
    known = [row.id for row in rows if row.id in vectors]
    if not known:
        return None
    distances = np.linalg.norm(np.array([vectors[name] for name in known]) - vector, axis=1)  # [N]
    nearest = int(distances.argmin())
    return splits[known[nearest]] if distances[nearest] < _SAME else None


def _examples(
    rows: Sequence[CatalogRow], vectors: Mapping[str, NDArray[np.floating]], splits: Mapping[str, Split], side: Split
) -> Examples:
    chosen = [row for row in rows if row.accuracy is not None and row.id in vectors and splits[row.id] == side]
    dimension = len(next(iter(vectors.values()), ()))
    return Examples(
        np.array([vectors[row.id] for row in chosen], dtype=np.float64).reshape(len(chosen), dimension),
        np.array([row.accuracy for row in chosen], dtype=np.float64),
        np.array([row.run or row.id for row in chosen], dtype=np.str_),
    )
