"""Vectors and classes of checkpoints in; how many held-out ones are named rightly out.

The same classifier as that of `wembed predict`, beside the answer that is always the most frequent class. Classes that
the training runs lack are answered wrongly. Legend: N checkpoints, M of them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Mask, Material
from wembed.evaluate.prediction.draws import Draws, Measured, draw_groups, measure_mean
from wembed.evaluate.prediction.fits import Places, sides_for
from wembed.evaluate.results import Result
from wembed.prediction import Examples, TooFewRunsError, fit_classifier

CLASSIFICATION = "classification"
MAJORITY = "majority"
_MOST_FITTED = 600  # training checkpoints

Labels = NDArray[np.str_]


@dataclass(frozen=True)
class Classes:
    """What is to be told apart.

    Args:
        target: its name.
        labels: the class of each checkpoint, "" where it isn't known, [N].
        split: what the held-out checkpoints are called.
        held_out: which they are, [N].
    """

    target: str
    labels: Labels
    split: str
    held_out: Mask


def classification_results(
    material: Material, features: Mapping[str, Vectors], classes: Classes, seed: int
) -> Iterator[Result]:
    """The share that each encoder or baseline names rightly, and the mean of that over the classes.

    Nothing where the training runs are too few or hold fewer than two classes, or no held-out checkpoint has one.

    Args:
        material: the zoo.
        features: encoder or baseline -> its vectors; one that does not know all that is asked is passed over.
        classes: what is to be told apart.
        seed: of the fits, and of the draws.
    """
    sides = sides_for(material, classes.labels != "", _MOST_FITTED, seed)
    asked = np.flatnonzero((classes.labels != "") & classes.held_out)
    counts = Counter(classes.labels[sides[0]].tolist())
    if len(counts) < 2 or not len(asked):
        return
    draws = draw_groups(material.families[asked], np.random.default_rng([seed, 13]))
    for name, vectors in features.items():
        if vectors.known[np.concatenate([*sides, asked])].all():
            try:
                answers = _classified(material, vectors, classes.labels, (*sides, asked), seed)
            except TooFewRunsError:
                return
            yield from _rows(name, answers, classes, asked, draws)
    yield from _rows(MAJORITY, np.full(len(asked), counts.most_common(1)[0][0]), classes, asked, draws)


def _classified(
    material: Material, vectors: Vectors, labels: Labels, sides: tuple[Places, Places, Places], seed: int
) -> Labels:
    """The classes of the last of three sides, fitted on the first, chosen on the second."""
    train, validation, asked = sides
    names = np.unique(labels[train])
    places = {str(name): float(place) for place, name in enumerate(names)}
    numbers = np.array([places.get(str(label), -1.0) for label in labels])
    fitted_on, settled_on = (
        Examples(vectors.values[side], numbers[side], material.kin[side]) for side in (train, validation)
    )
    return fit_classifier(fitted_on, settled_on, names, seed).predict(vectors.values[asked]).values


def _rows(name: str, answers: Labels, classes: Classes, asked: Places, draws: Draws) -> Iterator[Result]:
    true = classes.labels[asked]
    right = (answers == true).astype(np.float64)
    like = Result(CLASSIFICATION, name, "", None, len(asked), classes.split, target=classes.target)
    for metric, found in (
        ("accuracy", measure_mean(right[None], draws)),
        ("balanced accuracy", _balanced(right, true, draws)),
    ):
        low, high = found.interval or (None, None)
        yield replace(like, metric=metric, value=found.value, error=found.error, low=low, high=high)


def _balanced(right: NDArray[np.float64], true: Labels, draws: Draws) -> Measured:
    """The mean over classes of the share that is right, over those that a draw holds."""
    shares = []
    for label in sorted(set(true.tolist())):
        of_class = (true == label).astype(np.float64)
        counts = draws.total(of_class)
        shares.append(np.where(counts > 0, draws.total(right * of_class) / np.maximum(counts, 1.0), np.nan))
    table = np.nanmean(shares, axis=0)  # [1 + R]
    return Measured(table[:1], table[1:])
