"""One study: build a zoo, train encoders on it, evaluate them beside baselines, write the report.

What enters: a folder and what to build in it. What leaves: in that folder zoo/, results.md, results.json, figures/,
report.html, inputs.json, and log.txt. Stopped anywhere, the same call goes on from there.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wembed.catalog import Zoo
from wembed.catalog.manifest import load_manifest
from wembed.device import resolve_device
from wembed.encoder import Encoder
from wembed.errors import NotFoundError, WembedError
from wembed.evaluate import EvaluateOptions, Evaluation, evaluate, zoo_encoders
from wembed.evaluate.encoders import ALWAYS
from wembed.experiment.folder import alone, claim
from wembed.experiment.inputs import (
    Inputs,
    dataset_digests,
    file_hash,
    machine,
    manifest_hash,
    read_inputs,
    versions,
    write_inputs,
    zoo_hash,
)
from wembed.experiment.log import LOG, Log, Show, unseen
from wembed.experiment.plan import PLANS
from wembed.report import read_results, write_report
from wembed.report.results_file import FILE
from wembed.training import Data, Epoch, Trained, TrainOptions, select_data, train
from wembed.zoo import open_items
from wembed.zoo.builder import BuildManifest, BuildOptions, build
from wembed.zoo.progress import Progress

ZOO = "zoo"


@dataclass(frozen=True)
class ExperimentOptions:
    """What to run.

    Args:
        folder: where everything goes.
        manifest: of the zoo, a file or the name of a packaged one.
        seed: of the zoo, of the split, of training and of evaluation.
        num_models: how many networks to train for the zoo; None: as many as the manifest says.
        num_epochs: how long to train every encoder; None: as long as each does by itself.
        device: see `resolve_device`.
        encoders: name -> how it is trained, the main one first; seed and device are those of the experiment.
        draws: see `Plan`.
        command: that repeats it, for its inputs.json.
    """

    folder: Path
    manifest: str
    seed: int = 0
    num_models: int | None = None
    num_epochs: int | None = None
    device: str = "auto"
    encoders: Mapping[str, TrainOptions] = field(default_factory=lambda: PLANS["default"].encoders)
    draws: int = 1
    command: str = ""

    @property
    def of_zoo(self) -> dict[str, object]:
        """What all calls on one folder must agree on."""
        return {"manifest": self.manifest, "seed": self.seed, "num_models": self.num_models, "seeds": 1}

    def training(self, encoder: str, device: str) -> TrainOptions:
        """How to train one of the encoders."""
        chosen = dataclasses.replace(self.encoders[encoder], seed=self.seed, device=device)
        return dataclasses.replace(chosen, num_epochs=self.num_epochs or chosen.num_epochs)


@dataclass(frozen=True)
class ExperimentResult:
    """What an experiment left.

    Args:
        folder: where everything is.
        zoo: the folder of the zoo, the first seed's where there are several.
        evaluation: what was found.
        files: of the report.
        left_out: encoders that the zoo is too small for, each with what it lacks.
    """

    folder: Path
    zoo: Path
    evaluation: Evaluation
    files: list[Path]
    left_out: dict[str, str]


def run_experiment(options: ExperimentOptions, show: Show = unseen) -> ExperimentResult:
    """Runs an experiment, or what is left of it.

    Args:
        options: what to run.
        show: shows how far a stage is.

    Raises:
        WembedError: the device isn't there; the folder belongs to an experiment of another seed, manifest or size, or
            another process works in it.
    """
    device = resolve_device(options.device)
    folder = options.folder
    with alone(folder):
        claim(folder, options.of_zoo)
        log = Log(folder / LOG, show)
        with log.timed("experiment"):
            log.write(_circumstances(options, device))
            zoo = _build(options, log)
            left_out = _train(options, zoo, device, log)
            names = [name for name in options.encoders if name not in left_out]
            encoders = zoo_encoders(zoo, [*names, *ALWAYS], device)
            inputs = _inputs(options, zoo, encoders, device)
            evaluation = _evaluated_before(folder, inputs, log) or _evaluate(options, zoo, encoders, left_out, log)
            with log.stage("drawing") as progress:
                files = write_report(evaluation, folder, progress=progress)
            write_inputs(dataclasses.replace(inputs, results=file_hash(folder / FILE)), folder)
    return ExperimentResult(folder, zoo.root, evaluation, files, left_out)


def _circumstances(options: ExperimentOptions, device: str) -> str:
    libraries = " ".join(f"{name} {version}" for name, version in versions().items())
    asked = {"command": options.command, "folder": options.folder, **options.of_zoo, "num_epochs": options.num_epochs}
    said = " ".join(f"{name}={value}" for name, value in asked.items())
    return f"{libraries}; {machine(device)}; {said}"


def _build(options: ExperimentOptions, log: Log) -> Zoo:
    manifest = load_manifest(options.manifest, BuildManifest)
    chosen = manifest.scaled(options.num_models) if options.num_models else manifest
    zoo = Zoo(options.folder / ZOO)
    with log.stage("building the zoo") as progress:
        stacks = build(zoo, BuildOptions(chosen, options.seed, progress=progress))
    rows = [row for stack in stacks for row in stack.rows]
    new = sum(len(stack.rows) for stack in stacks if not stack.skipped)
    log.write(f"zoo: {len(rows)} checkpoints, {new} of them new, hash {zoo_hash(zoo)}")
    return zoo


def _train(options: ExperimentOptions, zoo: Zoo, device: str, log: Log) -> dict[str, str]:
    """Trains every encoder that the zoo has enough runs for; gives the others, each with what it lacks."""
    rows = zoo.rows()
    left_out: dict[str, str] = {}
    for place, name in enumerate(options.encoders):
        chosen = options.training(name, device)
        try:
            data = select_data(rows, chosen)
        except NotFoundError as error:
            if not place:
                raise
            left_out[name] = error.message
            log.write(f"encoder {name} is left out: {error.message}")
            continue
        with log.stage(f"training {name}") as progress:
            trained = _trained(zoo, name, data, chosen, progress)
        epochs = f"{len(trained.history)} epochs" if trained.is_new else "there already"
        log.write(f"encoder {name}: {epochs}, {trained.encoder.id}, data {data.hash}")
    return left_out


def _trained(zoo: Zoo, name: str, data: Data, options: TrainOptions, progress: Progress) -> Trained:
    def tell(epoch: Epoch) -> None:
        progress(epoch.epoch, options.num_epochs)

    return train(data, lambda rows: open_items(zoo, rows), options, zoo.root / "encoders" / name, report=tell)


def _inputs(options: ExperimentOptions, zoo: Zoo, encoders: Mapping[str, Encoder], device: str) -> Inputs:
    ids = {name: encoder.id for name, encoder in encoders.items()}
    how = hashlib.sha256(repr(_how(options)).encode()).hexdigest()
    manifest, data = manifest_hash(options.manifest), dataset_digests(zoo)
    return Inputs(options.command, manifest, data, zoo_hash(zoo), ids, how, "", versions(), machine(device))


def _how(options: ExperimentOptions) -> EvaluateOptions:
    return EvaluateOptions(options.seed, seeds=options.draws)


def _evaluated_before(folder: Path, inputs: Inputs, log: Log) -> Evaluation | None:
    """What an earlier call found, if nothing that it depends on has changed since and nobody touched it."""
    before = read_inputs(folder)
    if before is None or before.key != inputs.key:
        return None
    try:
        if file_hash(folder / FILE) != before.results:
            return None
        found = read_results(folder)
    except (OSError, WembedError):
        return None
    log.write("evaluating: there already")
    return found


def _evaluate(
    options: ExperimentOptions, zoo: Zoo, encoders: Mapping[str, Encoder], left_out: Mapping[str, str], log: Log
) -> Evaluation:
    with log.stage("evaluating") as progress:
        evaluation = evaluate(zoo, encoders, _how(options), progress)
    about = {"manifest": Path(options.manifest).name, "zoo hash": zoo_hash(zoo)}
    lacking = {"left out": dict(left_out)} if left_out else {}
    return dataclasses.replace(evaluation, facts=about | evaluation.facts | lacking)
