"""Catalog rows and embeddings in; a predictor of any target, fitted on the zoo's training and validation runs, out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, Split, assign_splits, families
from wembed.prediction.answers import Fitted
from wembed.prediction.classifier import Classifier, fit_classifier
from wembed.prediction.examples import Examples, Kinds
from wembed.prediction.predictor import Predictor, fit_predictor
from wembed.prediction.regression import Limits
from wembed.prediction.targets import ACCURACY, Target, Value, values_of

_SAME = 1e-5  # distance of two unit vectors below which they are one network's


@dataclass(frozen=True)
class Ground:
    """What predictions rest on.

    Args:
        rows: of the zoo.
        vectors: id -> embedding [D], or its learned part; rows without one are passed over.
        transfers: id -> what `Transfer` makes of it, [K]; {} to go without.
        encoder: id of the encoder.
        split_seed: of the split into training, validation and test runs; the latter are left alone.
        seed: of the fits.
        hold_out: see `assign_splits`.
    """

    rows: Sequence[CatalogRow]
    vectors: Mapping[str, NDArray[np.floating]]
    transfers: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    encoder: str = ""
    split_seed: int = 0
    seed: int = 0
    hold_out: str = ""


def fit_target(ground: Ground, target: Target) -> Fitted:
    """Fits a predictor of a target.

    Raises:
        TooFewRunsError: too few runs have a value of it.
    """
    fit = _fit_category if target.kind == "category" else _fit_number
    what = "accuracies" if target == ACCURACY else f"values of {target.name}"
    return Fitted(target.name, target.logarithmic, fit(ground, target, what))


def kin_of(rows: Sequence[CatalogRow]) -> NDArray[np.str_]:
    """The family of each by its first name, that of its run where it is a run alone, [N].

    Networks of one family are no independent evidence: a child is nearly its parent.
    """
    first = {row.id: min(other.run or other.id for other in kin) for kin in families(rows) for row in kin}
    return np.array([first[row.id] for row in rows], dtype=np.str_)


def kinds_of(
    structures: Sequence[str],
    transfers: Sequence[NDArray[np.floating] | None],
    datasets: Sequence[str | None] | None = None,
) -> Kinds:
    """What is known of the kinds of networks: structures, and transfers and data sets, of which any may be missing."""
    length = next((len(transfer) for transfer in transfers if transfer is not None), 0)
    rows = [np.zeros(length) if transfer is None else transfer for transfer in transfers]
    names = [name or "" for name in datasets or [""] * len(rows)]
    return Kinds(
        np.array(structures, dtype=np.str_),
        np.array(rows, dtype=np.float32).reshape(len(rows), length),
        np.array(names, dtype=np.str_),
    )


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


def _fit_number(ground: Ground, target: Target, what: str) -> Predictor:
    scaled = np.log if target.logarithmic else float
    train, validation = _sides(ground, target, lambda value: float(scaled(value)))
    limits = Limits(float(scaled(target.limits.low)), float(scaled(target.limits.high)))
    return fit_predictor(train, validation, ground.seed, limits, what)


def _fit_category(ground: Ground, target: Target, what: str) -> Classifier:
    values = values_of(target, ground.rows)
    classes = sorted({str(values[row.id]) for row in _side(ground, values, "train")})
    places = {name: float(place) for place, name in enumerate(classes)}
    train, validation = _sides(ground, target, lambda value: places.get(str(value), -1.0))
    return fit_classifier(train, validation, np.array(classes, dtype=np.str_), ground.seed, what)


def _sides(ground: Ground, target: Target, number: Callable[[Value], float]) -> list[Examples]:
    """Training and validation examples."""
    values, kin = values_of(target, ground.rows), kin_of(ground.rows)
    family_of = {row.id: str(family) for row, family in zip(ground.rows, kin, strict=True)}
    sides = [_side(ground, values, side) for side in ("train", "validation")]
    return [
        _examples(ground, side, [number(values[row.id]) for row in side], [family_of[row.id] for row in side])
        for side in sides
    ]


def _side(ground: Ground, values: Mapping[str, Value], side: str) -> list[CatalogRow]:
    splits = assign_splits(ground.rows, ground.split_seed, ground.hold_out)
    return [row for row in ground.rows if row.id in values and row.id in ground.vectors and splits[row.id] == side]


def _examples(ground: Ground, rows: Sequence[CatalogRow], targets: Sequence[float], kin: Sequence[str]) -> Examples:
    dimension = len(next(iter(ground.vectors.values()), ()))
    return Examples(
        np.array([ground.vectors[row.id] for row in rows], dtype=np.float64).reshape(len(rows), dimension),
        np.array(targets, dtype=np.float64),
        np.array(kin, dtype=np.str_),
        kinds_of(
            [row.structure for row in rows],
            [ground.transfers.get(row.id) for row in rows],
            [row.dataset for row in rows],
        ),
    )
