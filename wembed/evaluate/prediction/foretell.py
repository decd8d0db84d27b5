"""Prediction and zero-shot: every encoder's vectors and every baseline's features through one regression."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Mask, Material
from wembed.evaluate.prediction.accuracy import Sample, compared_results, predicted, prediction_results, sample_of
from wembed.evaluate.prediction.baselines import KNOWN_BEFORE, NAME, RECIPE, known_before
from wembed.evaluate.prediction.calibration import LEVELS, calibration
from wembed.evaluate.prediction.fits import Fitted, Fitting, fit
from wembed.evaluate.prediction.labels import Classes, classification_results
from wembed.evaluate.prediction.parts import HEAD_ONLY, name_on, parts
from wembed.evaluate.prediction.shuffled import shuffled_results
from wembed.evaluate.prediction.targets import Truth, class_truths, numeric_truths
from wembed.evaluate.results import Calibration, Predicted, Result
from wembed.evaluate.retrieval.answers import label_of
from wembed.prediction import COVERAGE, Kinds, TooFewRunsError, Transfer, kinds_of

TEST = "test"
ZERO_SHOT = "zero-shot"
_CALIBRATED = ("stats",)  # beside the main encoder
_SIDE_FITTED = 600  # training checkpoints of the many fits that are no headline
_MARKED = (
    "marks encoders that were trained on networks of the part that is held out: only the regression did not see it"
)
_TELL_ALL = (RECIPE, NAME)  # baselines that hold the classes themselves


@dataclass(frozen=True)
class ForetellOptions:
    """How to predict.

    Args:
        seeds: how many fits of accuracy to take the mean of.
        trained_on: encoder -> the runs that it was trained on; one that is not there, and is not known to have no
            training, is taken to have seen every part of the zoo.
    """

    seeds: int = 3
    trained_on: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Foretold:
    """What is predicted, and how well.

    Args:
        results: rows of the tasks prediction, accuracy, zero-shot and classification.
        test: encoder or baseline -> predictions on test checkpoints.
        zero_shot: the same on the sealed data set.
        facts: what a reader must know.
        calibration: of the intervals on both.
    """

    results: list[Result] = field(default_factory=list)
    test: dict[str, list[Predicted]] = field(default_factory=dict)
    zero_shot: dict[str, list[Predicted]] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    calibration: list[Calibration] = field(default_factory=list)


def foretell(
    material: Material,
    features: Mapping[str, Vectors],
    structure: str,
    seed: int,
    options: ForetellOptions | None = None,
) -> Foretold:
    """Predicts accuracies, other numbers and classes from embeddings and from baselines' features.

    Args:
        material: the zoo.
        features: encoder or baseline -> its vectors of all checkpoints, the main encoder first.
        structure: of the one shape that all of them know.
        seed: of the regression's trees, the shuffling and the resampling.
        options: how.
    """
    everyone = np.ones(len(material.rows), dtype=bool)
    known = {name: Vectors(values, everyone) for name, values in known_before(material.rows).items()}
    structures, datasets = ([getattr(row, field) for row in material.rows] for field in ("structure", "dataset"))
    kinds = kinds_of(structures, list(Transfer().embed(material.items)), datasets)
    return _Foretelling(material, {**features, **known}, kinds, structure, seed, options or ForetellOptions()).all()


@dataclass(frozen=True)
class _Foretelling:
    """One evaluation of predictions.

    Args:
        material: the zoo.
        features: encoder or baseline -> its vectors, the main encoder first.
        kinds: of the checkpoints.
        structure: of the one shape that all of them know.
        seed: of all draws.
        options: how.
    """

    material: Material
    features: Mapping[str, Vectors]
    kinds: Kinds
    structure: str
    seed: int
    options: ForetellOptions

    def all(self) -> Foretold:
        """Accuracy with its controls, then other numbers, then classes, then parts held out."""
        accuracy, *others = numeric_truths(self.material.rows)
        facts = {
            "stated coverage of intervals": COVERAGE,
            "fits per prediction": self.options.seeds,
            HEAD_ONLY: _MARKED,
        }
        found = Foretold(facts=facts)
        self._accuracy(accuracy, found)
        for truth in others:
            found.results.extend(self._number(truth))
        for name, labels in class_truths(self.material.rows).items():
            classes = Classes(name, labels, TEST, self.material.side("test"))
            told = {key: vectors for key, vectors in self.features.items() if key not in _TELL_ALL}
            found.results.extend(classification_results(self.material, told, classes, self.seed))
        found.results.extend(self._held_out(accuracy))
        return found

    def _accuracy(self, truth: Truth, found: Foretold) -> None:
        """The headline: rows, comparisons with the main one, the leak test, and the single predictions."""
        seeds = range(self.seed, self.seed + self.options.seeds)
        fits = self._fits(truth, Fitting(seeds, self._everything(), levels=LEVELS), found.facts)
        samples = self._samples(truth)
        for sample in samples.values():
            for name in self.features:
                found.results.extend(prediction_results(name, fits.get(name), sample))
        for sample in samples.values():
            found.results.extend(self._compared(fits, sample))
        for name in fits:
            found.results.extend(self._shuffled(name, truth, samples))
        for split, predictions in ((TEST, found.test), (ZERO_SHOT, found.zero_shot)):
            if split in samples:
                whole = {name: fit for name, fit in fits.items() if fit.known[samples[split].mask].all()}
                predictions |= {name: predicted(self.material, fit, samples[split]) for name, fit in whole.items()}
                found.calibration.extend(self._calibrated(whole, samples[split]))

    def _compared(self, fits: Mapping[str, Fitted], sample: Sample) -> Iterator[Result]:
        """The main encoder beside every other, where it could be fitted."""
        main = next(iter(self.features))
        for name in fits if main in fits else ():
            if name != main:
                yield from compared_results((main, name), (fits[main], fits[name]), sample)

    def _calibrated(self, fits: Mapping[str, Fitted], sample: Sample) -> Iterator[Calibration]:
        """How true the intervals of the main encoder and of what stands beside it are."""
        for name in dict.fromkeys((next(iter(self.features)), *_CALIBRATED)):
            if name in fits and fits[name].held:
                yield calibration(name, fits[name], sample)

    def _number(self, truth: Truth) -> Iterator[Result]:
        """The rows of one number that is not the headline, on all test checkpoints."""
        sample = sample_of(self.material, truth, self.material.side("test"), TEST, self.seed)
        if sample:
            fits = self._fits(truth, Fitting((self.seed,), self._everything(), _SIDE_FITTED), {})
            for name in self.features:
                yield from prediction_results(name, fits.get(name), sample)

    def _held_out(self, truth: Truth) -> Iterator[Result]:
        """The rows of predictors that saw nothing of a part, on the test checkpoints of that part."""
        for part in parts(self.material):
            mask = self.material.side("test") & part.inside
            sample = sample_of(self.material, truth, mask, part.split, self.seed)
            if not sample:
                continue
            fits = self._fits(truth, Fitting((self.seed,), ~part.inside, _SIDE_FITTED), {})
            for name, fitted in fits.items():
                called = name_on(part, name, self.material, self.options.trained_on)
                yield from prediction_results(called, fitted, sample)

    def _shuffled(self, name: str, truth: Truth, samples: Mapping[str, Sample]) -> Iterator[Result]:
        """The leak test, on the first sample that an encoder or baseline knows all of."""
        vectors = self.features[name]
        sample = next((sample for sample in samples.values() if vectors.known[sample.mask].all()), None)
        if sample:
            yield from shuffled_results(self.material, name, vectors, truth, sample, self.seed)

    def _fits(self, truth: Truth, how: Fitting, facts: dict[str, object]) -> dict[str, Fitted]:
        """Encoder or baseline -> what it predicts; those that have too little to be fitted on are facts."""
        fits: dict[str, Fitted] = {}
        for name, vectors in self.features.items():
            kinds = None if name in KNOWN_BEFORE else self.kinds  # nothing was looked at that would tell
            try:
                fits[name] = fit(self.material, vectors, truth, replace(how, kinds=kinds))
            except TooFewRunsError as error:
                facts[f"no prediction from {name}"] = error.message
        return fits

    def _samples(self, truth: Truth) -> dict[str, Sample]:
        """What to measure on, by name."""
        test, of_shape = self.material.side("test"), self.material.where(lambda row: row.structure == self.structure)
        masks = {
            TEST: test,
            f"{TEST}:{label_of(self.material, self.structure)}": test & of_shape,
            ZERO_SHOT: self.material.side("zero-shot"),
        }
        found = {split: sample_of(self.material, truth, mask, split, self.seed) for split, mask in masks.items()}
        return {split: sample for split, sample in found.items() if sample}

    def _everything(self) -> Mask:
        return np.ones(len(self.material.rows), dtype=bool)
