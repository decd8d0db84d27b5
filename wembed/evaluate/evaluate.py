"""A zoo and its encoders in; every number of the tasks out, each beside its baselines.

The zoo is opened once, every checkpoint and query embedded once. One seed gives one result.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wembed.catalog import SPLITS, Zoo
from wembed.device import one_thread
from wembed.encoder import Encoder, Stats
from wembed.errors import NotFoundError, UsageError
from wembed.evaluate import merging
from wembed.evaluate.embedded import Embedded, Steps, embed_zoo, with_baselines
from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Material, gather, run_of
from wembed.evaluate.measure import Asked, asked, measure
from wembed.evaluate.origin import with_origins
from wembed.evaluate.places import MOST, map_points
from wembed.evaluate.prediction.foretell import ForetellOptions, Foretold, foretell
from wembed.evaluate.results import Evaluation
from wembed.evaluate.retrieval.answers import shape_with_most_queries, strangers_facts
from wembed.evaluate.retrieval.queries import NOISE
from wembed.evaluate.retrieval.tasks import MOST_QUERIES
from wembed.evaluate.trained import (
    Training,
    check_overlap,
    check_packaged,
    hold_out_of,
    split_seed_of,
    trainings_of,
)
from wembed.evaluate.training_curves import training_curves
from wembed.prediction import learned_part
from wembed.zoo import Progress, silent

_REST = 0.3  # of the work comes after the embedding, roughly

MAP_POINTS = MOST
PASSED_OVER, FIRST_PASSED_OVER = "passed over", "first passed over"  # facts
TASKS = ("retrieval", "prediction", "merging", "invariance", "robustness")


@dataclass(frozen=True)
class EvaluateOptions:
    """How to evaluate.

    Args:
        seed: of noise, permutations, choices and resampling; and of the split where no encoder was trained with one.
        map_points: the most points of the map; 0 for no map.
        seeds: how many seeds, from `seed` on, to draw noise and fit regressions with; what is told is their mean.
        tasks: which, of `TASKS`.

    Raises:
        UsageError: there is no such task.
    """

    seed: int = 0
    map_points: int = MAP_POINTS
    seeds: int = 1
    tasks: tuple[str, ...] = TASKS

    def __post_init__(self) -> None:
        if unknown := [task for task in self.tasks if task not in TASKS]:
            raise UsageError(f"no task named {unknown[0]!r}", f"known are {', '.join(TASKS)}")


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
    check_overlap(material.rows, material.splits, trainings)
    _check_held_out(zoo, material)
    structure = shape_with_most_queries(material, [t for e in encoders.values() if (t := getattr(e, "structure", ""))])
    questions = asked(material, options.tasks, range(seed, seed + options.seeds))
    steps = Steps(progress, round((len(material.rows) + questions.size) * (1 + _REST)))
    embedded = embed_zoo(material, with_baselines(material, encoders, structure), steps)
    measured = measure(embedded, questions, structure)
    foretold = _foretold(embedded, encoders, trainings, structure, options)
    pairs = merging.merged_pairs(material, encoders[main], seed, silent) if "merging" in options.tasks else []
    found = [*measured.results, *foretold.results, *merging.merging_results(material, pairs, seed)]
    facts = _facts(zoo, material, questions, (seed, options.seeds, split_seed)) | foretold.facts
    evaluation = Evaluation(
        results=with_origins(found, encoders, seed, material.hash),
        predictions=foretold.test,
        zero_shot=foretold.zero_shot,
        curves=merging.curves(material, pairs),
        map=map_points(material, embedded.gallery[main], options.map_points, seed) if options.map_points else [],
        facts=facts | {"main encoder": main, "merged pairs": len(pairs), "held-out architectures": hold_out or "none"},
        recall=measured.curves,
        calibration=foretold.calibration,
        training=training_curves(zoo, encoders),
    )
    progress(1, 1)
    return evaluation


def _check_held_out(zoo: Zoo, material: Material) -> None:
    if not material.side("test").any():
        found = f"found {len({run_of(row) for row in material.rows})} runs, none of them held out for testing"
        hint = f"make a larger zoo with `wembed zoo build --zoo {shlex.quote(str(zoo.root))}`"
        raise NotFoundError(f"nothing to evaluate on: {found}", hint)


def _foretold(
    embedded: Embedded,
    encoders: Mapping[str, Encoder],
    trainings: Sequence[Training],
    structure: str,
    options: EvaluateOptions,
) -> Foretold:
    """What is predicted from what each encoder learned.

    `stats` predicts from statistics that keep their scale, as published regressions do, with or without its encoder.
    """
    if "prediction" not in options.tasks:
        return Foretold()
    features = {name: _learned(encoder, embedded.gallery[name]) for name, encoder in encoders.items()}
    features[Stats.name] = embedded.statistics
    how = ForetellOptions(options.seeds, {training.encoder: training.runs for training in trainings})
    return foretell(embedded.material, features, structure, options.seed, how)


def _learned(encoder: Encoder, vectors: Vectors) -> Vectors:
    return Vectors(learned_part(encoder, vectors.values), vectors.known)


def _passed_over(zoo: Zoo, material: Material) -> dict[str, object]:
    """How many checkpoints can't be opened, and why the first can't: the path from the zoo on."""
    failures = material.failures
    first = {FIRST_PASSED_OVER: failures[0].error.message.replace(f"{zoo.root}/", "")} if failures else {}
    return {PASSED_OVER: len(failures), **first}


def _facts(zoo: Zoo, material: Material, questions: Asked, seeds: tuple[int, int, int]) -> dict[str, object]:
    """Counts and protocol; the seeds are the evaluation's, how many from there on, and that of the split."""
    runs = {side: {run_of(row) for row in material.rows if material.splits[row.id] == side} for side in SPLITS}
    facts: dict[str, object] = {
        "checkpoints": len(material.rows),
        "runs": sum(map(len, runs.values())),
        "runs by split": {side: len(found) for side, found in runs.items()},
        "checkpoints by split": {side: int(material.side(side).sum()) for side in SPLITS},
        "seed": seeds[0],
        "seeds": seeds[1],
        "split seed": seeds[2],
        "data": material.hash,
        "noise of queries, share of a tensor's deviation": NOISE,
        "queries of a task, most": MOST_QUERIES,
    }
    return (
        facts | _passed_over(zoo, material) | {task.name: strangers_facts(material, task) for task in questions.tasks}
    )
