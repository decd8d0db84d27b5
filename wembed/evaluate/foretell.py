"""Prediction and zero-shot: every encoder's vectors and every baseline's features through one regression."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from wembed.evaluate.accuracy import (
    METRICS,
    Fitted,
    compared_results,
    fit,
    predicted,
    prediction_results,
    shuffled_results,
)
from wembed.evaluate.baselines import recipe
from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Mask, Material
from wembed.evaluate.results import Predicted, Result
from wembed.evaluate.retrieval import label_of
from wembed.prediction import COVERAGE, TooFewRunsError

RECIPE = "hyperparameters"


@dataclass(frozen=True)
class Foretold:
    """What is predicted, and how well.

    Args:
        results: rows of the tasks prediction, accuracy and zero-shot.
        test: encoder or baseline -> predictions on test checkpoints.
        zero_shot: the same on the sealed data set.
        facts: what a reader must know.
    """

    results: list[Result] = field(default_factory=list)
    test: dict[str, list[Predicted]] = field(default_factory=dict)
    zero_shot: dict[str, list[Predicted]] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)


def foretell(material: Material, features: Mapping[str, Vectors], structure: str, seed: int) -> Foretold:
    """Predicts accuracies from embeddings and from baselines' features.

    Args:
        material: the zoo.
        features: encoder or baseline -> its vectors of all checkpoints, the main encoder first.
        structure: of the one shape that all of them know.
        seed: of the regression's trees, the shuffling and the resampling.
    """
    foretold = Foretold(facts={"stated coverage of intervals": COVERAGE})
    features = {**features, **_recipe(material)}
    fits: dict[str, Fitted] = {}
    for name, vectors in features.items():
        try:
            fits[name] = fit(material, vectors, seed)
        except TooFewRunsError as error:
            foretold.facts[f"no prediction from {name}"] = error.message
    splits = _splits(material, structure)
    for split, mask in splits.items():
        for name in features:
            foretold.results.extend(_rows(material, name, fits.get(name), mask, split, seed))
    main = next(iter(features))
    others = [name for name in fits if name != main] if main in fits else []
    for split, mask in splits.items():
        for name in others:
            pair = (fits[main], fits[name])
            foretold.results.extend(compared_results(material, (main, name), pair, mask, split, seed))
    if main in fits:
        split = next(split for split, mask in splits.items() if fits[main].known[mask].all())
        foretold.results.extend(shuffled_results(material, main, features[main], splits[split], split, seed))
    for name, fitted in fits.items():
        if fitted.known.all():
            foretold.test[name] = predicted(material, fitted, material.side("test"))
            foretold.zero_shot[name] = predicted(material, fitted, material.side("zero-shot"))
    return foretold


def _recipe(material: Material) -> dict[str, Vectors]:
    known = recipe(material.rows)
    return {} if known is None else {RECIPE: Vectors(known, np.ones(len(known), dtype=bool))}


def _splits(material: Material, structure: str) -> dict[str, Mask]:
    """What to measure on, by name."""
    test, of_shape = material.side("test"), material.where(lambda row: row.structure == structure)
    return {
        "test": test,
        f"test:{label_of(material, structure)}": test & of_shape,
        "zero-shot": material.side("zero-shot"),
    }


def _rows(material: Material, name: str, fitted: Fitted | None, mask: Mask, split: str, seed: int) -> Iterator[Result]:
    if fitted:
        yield from prediction_results(material, name, fitted, mask, split, seed)
        return
    task, count = "zero-shot" if split == "zero-shot" else "prediction", int(mask.sum())
    yield from (Result(task, name, metric, None, count, split) for metric in METRICS if count)
