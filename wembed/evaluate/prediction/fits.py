"""Vectors of checkpoints and what is known of them in; what the regression predicts of held-out ones out.

The same procedure as that of `wembed predict`, once for each seed: fitted on training runs, chosen and calibrated on
validation runs. A baseline that knows one shape only is fitted on that shape. Legend: N checkpoints, S seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Mask, Material
from wembed.evaluate.prediction.targets import Truth
from wembed.prediction import COVERAGE, Examples, Kinds, Predictor, fit_predictor

MOST_FITTED = 2000  # training checkpoints; regressions on more take minutes
_DIGITS = 9  # below which equal features may give unequal values

Table = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class Fitting:
    """How to fit.

    Args:
        seeds: one fit for each: of the heads' randomness, of the halves of the validation runs, and of the choice of
            checkpoints where there are too many.
        usable: which checkpoints may be fitted and calibrated on, [N].
        most: how many training checkpoints to fit on.
        kinds: of all checkpoints, [N]; None for features that know nothing of a network's kind.
        levels: stated coverages of further intervals.
    """

    seeds: Sequence[int]
    usable: Mask
    most: int = MOST_FITTED
    kinds: Kinds | None = None
    levels: Sequence[float] = ()


@dataclass(frozen=True)
class Fitted:
    """What is predicted of all held-out checkpoints that features are known of.

    Args:
        known: which checkpoints these are, [N].
        values: predictions of all checkpoints, 0 where there are none, [S, N].
        low: lower ends of their intervals, [S, N].
        high: upper ends, [S, N].
        in_domain: whether each is of the kind that was fitted on, [S, N].
        held: level -> the share of the fits whose interval of that level holds the truth, [N]; without levels that
            some fit has too few calibration runs for.
        is_bounded: whether every fit had enough of them for `low` and `high`.
    """

    known: Mask
    values: Table
    low: Table
    high: Table
    in_domain: NDArray[np.bool_]
    held: Mapping[float, NDArray[np.float64]] = field(default_factory=dict)
    is_bounded: bool = True


def fit(material: Material, vectors: Vectors, truth: Truth, how: Fitting) -> Fitted:
    """Fits on the training and validation runs that have features and a known target.

    Args:
        material: the zoo.
        vectors: of its checkpoints.
        truth: what is to be predicted.
        how: with which seeds, on what.

    Raises:
        TooFewRunsError: there are too few of them.
    """
    asked = vectors.known & ~material.side("train")
    known, kinds = vectors.values[asked], how.kinds.part(asked) if how.kinds else None
    predictors = [_predictor(material, vectors, truth, how, seed) for seed in how.seeds]
    found = [predictor.predict(known, kinds, COVERAGE) for predictor in predictors]

    def table(parts: Sequence[NDArray[np.generic]]) -> Table:
        filled = np.zeros((len(parts), len(asked)))
        filled[:, asked] = parts
        return filled

    def share(level: float) -> NDArray[np.float64]:
        right, further = truth.values[asked], [each.predict(known, kinds, level) for each in predictors]
        return np.asarray(table([(each.low <= right) & (right <= each.high) for each in further]).mean(0))

    def is_bounded(level: float) -> bool:
        return all(each.scores.is_bounded(level) for each in predictors)

    values, low, high = (table([getattr(each, name) for each in found]) for name in ("values", "low", "high"))
    inside = table([each.in_domain for each in found]) > 0
    held = {level: share(level) for level in how.levels if is_bounded(level)}
    return Fitted(asked, values.round(_DIGITS), low, high, inside, held, is_bounded(COVERAGE))


def sides_for(material: Material, usable: Mask, most: int, seed: int) -> tuple[Places, Places]:
    """The training checkpoints to fit on, as many as may be, drawn where there are more; the validation checkpoints.

    Args:
        material: the zoo.
        usable: which may be used, [N].
        most: how many to fit on.
        seed: of the draw.
    """
    train, validation = (np.flatnonzero(usable & material.side(side)) for side in ("train", "validation"))
    chosen = np.random.default_rng([seed, 11]).permutation(len(train))[:most]
    return train[np.sort(chosen)], validation


def _predictor(material: Material, vectors: Vectors, truth: Truth, how: Fitting, seed: int) -> Predictor:
    usable = how.usable & vectors.known & ~np.isnan(truth.values)
    train, validation = sides_for(material, usable, how.most, seed)
    # A hash of a family's name says in which half of the validation runs it is: other names make other halves.
    names = material.kin if seed == how.seeds[0] else np.array([f"{seed} {name}" for name in material.kin])

    def examples(places: Places) -> Examples:
        mask = np.zeros(len(names), dtype=bool)
        mask[places] = True
        kinds = how.kinds.part(mask) if how.kinds else None
        return Examples(vectors.values[places], truth.values[places], names[places], kinds)

    what = "accuracies" if truth.target == "accuracy" else f"values of {truth.target}"
    return fit_predictor(examples(train), examples(validation), seed, truth.limits, what)
