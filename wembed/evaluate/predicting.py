"""Checkpoints and a zoo in; what the zoo's training runs teach about them out.

It stands here, where a zoo can be embedded and what its encoders were trained on can be read; the fitting itself is in
`wembed.prediction`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, Located, Split, Zoo, assign_splits
from wembed.encoder import Encoder, Item
from wembed.errors import UsageError
from wembed.evaluate.trained import check_overlap, check_packaged, hold_out_of, split_seed_of, trainings_of
from wembed.prediction import (
    ACCURACY,
    COVERAGE,
    FOLDER,
    Answer,
    Fitted,
    Ground,
    Target,
    TooFewRunsError,
    Transfer,
    find_target,
    kept_or_fitted,
    kinds_of,
    known_split,
    known_targets,
    learned_part,
)
from wembed.prediction.explain import LayerEffect, explain
from wembed.symmetry import load_spec
from wembed.zoo import Embedded, embed_given, embed_zoo, encoder_name, locate_all, open_table
from wembed.zoo.embed import with_vectors
from wembed.zoo.embed.opened import open_located
from wembed.zoo.failure import Failure
from wembed.zoo.lazy_encoder import find_encoder_lazily
from wembed.zoo.progress import Progress, silent

ALL = "all"

Vectors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Prediction:
    """What is told of one target of one checkpoint.

    Args:
        id: of the checkpoint.
        answer: what is told.
        split: the side that the zoo's checkpoint with these weights stands on, None if it has none; what is told of
            train and validation is no evidence.
        encoder: name of the encoder.
        layers: what moves the answer, if that was asked for.
    """

    id: str
    answer: Answer
    split: Split | None
    encoder: str
    layers: tuple[LayerEffect, ...] = ()


@dataclass(frozen=True)
class Teacher:
    """A zoo, as an encoder sees it: what predictions of checkpoints rest on.

    Args:
        zoo: whose checkpoints teach.
        name: of the encoder.
        encoder: what embeds.
        vectors: id -> embedding of the zoo's checkpoints.
        transfers: id -> what `Transfer` makes of them.
        seed: of the split, unless the encoder was trained with another, and of the fits.
        store: of embeddings; None for the zoo's own.
        failures: of its checkpoints that can't be embedded, each once.
    """

    zoo: Zoo
    name: str
    encoder: Encoder
    vectors: Vectors
    transfers: Vectors = field(default_factory=dict)
    seed: int = 0
    store: str | None = None
    failures: Sequence[Failure] = ()

    @cached_property
    def rows(self) -> Sequence[CatalogRow]:
        """Of the zoo."""
        return self.zoo.rows()

    @cached_property
    def ground(self) -> Ground:
        """What predictions rest on.

        Raises:
            WembedError: the encoder was trained on held-out runs, which intervals are calibrated on.
        """
        trainings = trainings_of(self.zoo, [self.name])
        split_seed, hold_out = split_seed_of(trainings, self.seed), hold_out_of(trainings)
        splits = assign_splits(self.rows, split_seed, hold_out)
        check_overlap(self.rows, splits, trainings)
        check_packaged([self.name], [row for row in self.rows if splits[row.id] != "train"])
        learned = self.learned(np.array(list(self.vectors.values())))
        vectors = dict(zip(self.vectors, learned, strict=True))
        return Ground(self.rows, vectors, self.transfers, self.encoder.id, split_seed, self.seed, hold_out)

    def learned(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """The part of embeddings [N, D] that is predicted from."""
        return learned_part(self.encoder, vectors)

    def fitted(self, target: Target) -> Fitted:
        """The predictor of a target.

        Raises:
            TooFewRunsError: too few runs have a value of it.
        """
        return kept_or_fitted(self.ground, target, self.zoo.root / FOLDER)

    def transfers_of(self, located: Sequence[Located], spec: Path | None = None) -> Vectors:
        """What `Transfer` makes of checkpoints, by id, where it can be had.

        Args:
            located: the checkpoints.
            spec: the file of their symmetries, instead of what each would get.
        """
        transfer = Transfer()
        table, given = open_table(self.zoo, transfer, self.store), load_spec(spec) if spec else None
        return vectors_of(embed_given(located, self.zoo, transfer, table, given=given).done)

    def predictions(
        self, given: Sequence[Embedded], transfers: Vectors, fitted: Sequence[Fitted], level: float
    ) -> list[Prediction]:
        """What is told of embedded checkpoints, target by target of each.

        Args:
            given: the checkpoints.
            transfers: id -> what `Transfer` makes of them, where it can be had.
            fitted: the predictors.
            level: how often intervals and sets shall hold the truth.
        """
        found = {entry.id: entry for entry in given if entry.vector is not None}
        vectors = np.array([entry.vector for entry in found.values()])
        kinds = kinds_of([entry.structure for entry in found.values()], [transfers.get(name) for name in found])
        splits = assign_splits(self.rows, self.ground.split_seed, self.ground.hold_out)
        sides = [known_split(vector, self.rows, self.vectors, splits) for vector in vectors]
        answers = [each.answers(self.learned(vectors), kinds, level) for each in fitted]
        return [
            Prediction(name, column[place], side, self.name)
            for place, (name, side) in enumerate(zip(found, sides, strict=True))
            for column in answers
        ]

    def explained(self, prediction: Prediction, fitted: Sequence[Fitted], spec: Path | None = None) -> Prediction:
        """The same with the layers that move it.

        Args:
            prediction: what is told.
            fitted: the predictors, among them the one that told it.
            spec: the file of the network's symmetries, instead of what it would get.

        Raises:
            WembedError: the network is too large.
        """
        (located,) = locate_all([prediction.id], self.zoo).located
        opened = open_located(self.zoo, located, load_spec(spec) if spec else None)
        teller = next(each for each in fitted if each.target == prediction.answer.target)

        def embed(items: Sequence[Item]) -> NDArray[np.float64]:
            return self.learned(self.encoder.embed(items))

        effects = explain((opened.checkpoint, opened.spec), embed, teller, prediction.answer, self.seed)
        return replace(prediction, layers=tuple(effects))


def teacher_of(
    zoo: Zoo, name: str, encoder: Encoder, store: str | None = None, seed: int = 0, progress: Progress = silent
) -> Teacher:
    """A zoo as an encoder sees it; it is embedded as far as it isn't yet.

    Args:
        zoo: that teaches.
        name: of the encoder.
        encoder: what embeds.
        store: of embeddings; None for the zoo's own.
        seed: see `Teacher`.
        progress: told after every checkpoint.

    Raises:
        WembedError: a table can't be written, or is another zoo's.
    """
    vectors: list[Vectors] = []
    failures: dict[str, Failure] = {}
    for each in (encoder, Transfer()):
        table = open_table(zoo, each, store)
        if table is None:
            raise ValueError("a zoo has tables")
        found = with_vectors(embed_zoo(zoo, each, table, progress), table)
        vectors.append(vectors_of(found.done))
        failures = {failure.id: failure for failure in found.failures} | failures
    return Teacher(zoo, name, encoder, vectors[0], vectors[1], seed, store, tuple(failures.values()))


def targets_of(names: Sequence[str], rows: Sequence[CatalogRow]) -> list[Target]:
    """The targets of some names, each once.

    Args:
        names: of targets; `all` stands for all that the zoo varies.
        rows: of the zoo.

    Raises:
        UsageError: there is none of a name.
        NotFoundError: the zoo does not say or vary one.
    """
    wanted = [name for given in names for name in (known_targets(rows) if given == ALL else [given])]
    return [find_target(name, rows) for name in dict.fromkeys(wanted or [ACCURACY.name])]


def fit_targets(
    teacher: Teacher, names: Sequence[str], passed_over: Callable[[str], None] = lambda message: None
) -> list[Fitted]:
    """The predictors of some targets; of those that `all` stands for, the ones with enough runs.

    Args:
        teacher: what they rest on.
        names: of the targets.
        passed_over: told of a target without enough runs.

    Raises:
        TooFewRunsError: too few runs have a value of a target that was named, or of all.
    """
    fitted, failures = [], []
    for target in targets_of(names, teacher.rows):
        try:
            fitted.append(teacher.fitted(target))
        except TooFewRunsError as error:
            if target.name in names:
                raise
            failures.append(error)
            passed_over(error.message)
    if failures and not fitted:
        raise failures[0]
    return fitted


def check_level(level: float) -> float:
    """A level that intervals can have.

    Raises:
        UsageError: it is not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise UsageError(f"level {level:g}, expected a number between 0 and 1, such as {COVERAGE}")
    return level


def predict(
    checkpoints: Sequence[str | Path],
    zoo: Zoo,
    targets: Sequence[str] = ("accuracy",),
    encoder: str | None = None,
    level: float = COVERAGE,
    seed: int = 0,
    *,
    device: str = "auto",
    explain: bool = False,
) -> list[Prediction]:
    """Predicts accuracy and other targets of checkpoints from their weights, as a zoo's training runs teach it.

    Args:
        checkpoints: paths, or ids of the zoo.
        zoo: what teaches; it is embedded as far as it isn't yet.
        targets: what is asked, see `known_targets`; "all" for all that the zoo varies.
        encoder: its name; None for the zoo's newest.
        level: how often intervals and sets shall hold the truth, between 0 and 1.
        seed: of the split, unless the encoder was trained with another, and of the fits.
        device: of the encoder: auto, cpu, cuda, cuda:N or mps.
        explain: whether the layers that move each prediction are told, too, which takes longer.

    Raises:
        WembedError: a checkpoint can't be read, there is too little to predict from, or the device is not there.
    """
    check_level(level)
    name = encoder_name(encoder, zoo)
    main, located = find_encoder_lazily(name, zoo, device), locate_all([str(path) for path in checkpoints], zoo)
    given = embed_given(located.located, zoo, main, open_table(zoo, main, None))
    if failures := [*located.failures, *given.failures]:
        raise failures[0].error
    teacher = teacher_of(zoo, name, main, seed=seed)
    fitted = fit_targets(teacher, targets)
    found = teacher.predictions(given.done, teacher.transfers_of(located.located), fitted, level)
    return [teacher.explained(each, fitted) for each in found] if explain else found


def vectors_of(embedded: Sequence[Embedded]) -> Vectors:
    """Id -> embedding."""
    return {entry.id: entry.vector for entry in embedded if entry.vector is not None}
