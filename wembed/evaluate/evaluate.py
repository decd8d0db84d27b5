"""A zoo and its encoders in; every number of the tasks out, each beside its baselines.

The zoo is opened once, every checkpoint and query embedded once. One seed gives one result.
"""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from wembed.catalog import SPLITS, Zoo
from wembed.device import one_thread
from wembed.encoder import Encoder, Stats, unit_rows
from wembed.errors import NotFoundError
from wembed.evaluate import merging
from wembed.evaluate.embeddings import RawWeights, Statistics, Vectors, embed_items
from wembed.evaluate.foretell import Foretold, foretell
from wembed.evaluate.material import Material, gather, run_of
from wembed.evaluate.origin import with_origins
from wembed.evaluate.places import map_points
from wembed.evaluate.queries import NOISE
from wembed.evaluate.results import Evaluation, Result
from wembed.evaluate.retrieval import (
    Answers,
    Task,
    label_of,
    noised_task,
    retrieval_results,
    shape_with_most_queries,
    snapshot_task,
    strangers_facts,
)
from wembed.evaluate.trained import check_overlap, check_packaged, hold_out_of, split_seed_of, trainings_of
from wembed.prediction import learned_part
from wembed.zoo import Progress, silent

_REST = 0.3  # of the work comes after the embedding, roughly


@dataclass(frozen=True)
class EvaluateOptions:
    """How to evaluate.

    Args:
        seed: of noise, permutations, choices and resampling; and of the split where no encoder was trained with one.
        map_points: the most points of the map.
    """

    seed: int = 0
    map_points: int = 1000


@dataclass(frozen=True)
class _Retrieval:
    """Tasks and what all encoders and baselines make of them.

    Args:
        tasks: what is asked.
        gallery: encoder or baseline -> the vectors of the zoo.
        queries: of each task, the same.
        statistics: layer statistics of the zoo, not scaled to unit length.
    """

    tasks: list[Task]
    gallery: dict[str, Vectors]
    queries: list[dict[str, Vectors]]
    statistics: Vectors

    def results(self, material: Material, structure: str) -> Iterator[Result]:
        """The rows of all tasks."""
        label = label_of(material, structure)
        for task, queries in zip(self.tasks, self.queries, strict=True):
            answers = {name: Answers(self.gallery[name], found) for name, found in queries.items()}
            yield from retrieval_results(material, task, answers, structure, label)


def evaluate(
    zoo: Zoo,
    encoders: Mapping[str, Encoder],
    options: EvaluateOptions | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Evaluates encoders on the held-out runs of a zoo.

    Args:
        zoo: with runs of several snapshots and known accuracies.
        encoders: name -> encoder, see `zoo_encoders`; the first is the main one, whose map is drawn.
        options: how.
        progress: told how much is done, of how much.

    Raises:
        NotFoundError: there is no test run to evaluate on.
        WembedError: encoders were trained with different splits, or on held-out runs.
    """
    with one_thread():
        return _evaluate(zoo, encoders, options or EvaluateOptions(), progress)


def _evaluate(zoo: Zoo, encoders: Mapping[str, Encoder], options: EvaluateOptions, progress: Progress) -> Evaluation:
    seed, main = options.seed, next(iter(encoders))
    check_packaged(encoders, zoo.rows())
    trainings = trainings_of(zoo, encoders)
    split_seed, hold_out = split_seed_of(trainings, seed), hold_out_of(trainings)
    material = gather(zoo, split_seed, hold_out)
    check_overlap(material, trainings)
    _check_held_out(zoo, material)
    structure = shape_with_most_queries(material, [t for e in encoders.values() if (t := getattr(e, "structure", ""))])
    retrieval = _embedded(material, encoders, structure, seed, progress)
    # `stats` predicts from statistics that keep their scale, as published regressions do, with or without its encoder.
    features = {name: _learned(encoder, retrieval.gallery[name]) for name, encoder in encoders.items()}
    features[Stats.name] = retrieval.statistics
    foretold = foretell(material, features, structure, seed)
    pairs = merging.merged_pairs(material, encoders[main], seed, silent)
    found = [*retrieval.results(material, structure), *foretold.results, *merging.merging_results(material, pairs)]
    evaluation = Evaluation(
        with_origins(found, encoders, seed, material.hash),
        foretold.test,
        foretold.zero_shot,
        merging.curves(material, pairs),
        map_points(material, retrieval.gallery[main], options.map_points, seed),
        _facts(material, retrieval, foretold, (seed, split_seed))
        | {"main encoder": main, "merged pairs": len(pairs), "held-out architectures": hold_out or "none"},
    )
    progress(1, 1)
    return evaluation


def _check_held_out(zoo: Zoo, material: Material) -> None:
    if not material.side("test").any():
        found = f"found {len({run_of(row) for row in material.rows})} runs, none of them held out for testing"
        hint = f"make a larger zoo with `wembed zoo build --zoo {shlex.quote(str(zoo.root))}`"
        raise NotFoundError(f"nothing to evaluate on: {found}", hint)


def _embedded(
    material: Material, encoders: Mapping[str, Encoder], structure: str, seed: int, progress: Progress
) -> _Retrieval:
    """Embeds the zoo and all queries once."""
    tasks = [noised_task(material, seed), snapshot_task(material, seed)]
    raw = RawWeights(
        next(i for i, row in zip(material.items, material.rows, strict=True) if row.structure == structure)
    )
    everyone = {**encoders, raw.name: raw}
    total = (1 + len(everyone)) * (len(material.rows) + sum(len(task.items) for task in tasks))
    steps = _Steps(progress, round(total * (1 + _REST)))

    def of_zoo(encoder: Encoder) -> Vectors:
        return embed_items(encoder, material.items, [row.structure for row in material.rows], steps.next())

    statistics = of_zoo(Statistics())
    found = _Retrieval(tasks, {}, [{} for _ in tasks], statistics)
    for name, encoder in everyone.items():
        found.gallery[name] = _unit(statistics) if isinstance(encoder, Stats) else of_zoo(encoder)
        for task, queries in zip(tasks, found.queries, strict=True):
            queries[name] = embed_items(encoder, task.items, task.structures(material), steps.next())
    return found


def _learned(encoder: Encoder, vectors: Vectors) -> Vectors:
    return Vectors(learned_part(encoder, vectors.values), vectors.known)


def _unit(vectors: Vectors) -> Vectors:
    return Vectors(unit_rows(vectors.values).astype(np.float64), vectors.known)


@dataclass
class _Steps:
    """Progress over several pieces of work, one after the other."""

    progress: Progress
    total: int
    done: int = 0

    def next(self) -> Progress:
        """What the next piece says its own progress to."""
        start = self.done

        def say(done: int, _: int) -> None:
            self.done = start + done
            self.progress(self.done, self.total)

        return say


def _facts(material: Material, retrieval: _Retrieval, foretold: Foretold, seeds: tuple[int, int]) -> dict[str, object]:
    runs = {side: {run_of(row) for row in material.rows if material.splits[row.id] == side} for side in SPLITS}
    facts: dict[str, object] = {
        "checkpoints": len(material.rows),
        "runs": sum(map(len, runs.values())),
        "passed over": len(material.failures),
        "runs by split": {side: len(found) for side, found in runs.items()},
        "checkpoints by split": {side: int(material.side(side).sum()) for side in SPLITS},
        "seed": seeds[0],
        "split seed": seeds[1],
        "data": material.hash,
        "noise of queries, share of a tensor's deviation": NOISE,
    }
    for task in retrieval.tasks:
        facts[task.name] = strangers_facts(material, task)
    return facts | foretold.facts
