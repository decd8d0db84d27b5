"""The whole pipeline in one call: build a zoo, train encoders on it, evaluate them beside baselines, write the report.

What enters: a folder and what to build in it. What leaves: in that folder zoo/, results.md, results.json, figures/, and
log.txt, the one file that knows times. Stopped anywhere, the same call goes on from there.
"""

import dataclasses
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import wembed
from wembed.catalog import Zoo
from wembed.catalog.manifest import load_manifest
from wembed.device import resolve_device
from wembed.errors import NotFoundError, WembedError
from wembed.evaluate import EvaluateOptions, Evaluation, evaluate, zoo_encoders
from wembed.evaluate.encoders import ALWAYS, MAIN
from wembed.report import write_report
from wembed.training import MODEL_TYPES, Data, Epoch, Trained, TrainOptions, select_data, train
from wembed.zoo import open_items
from wembed.zoo.builder import BuildManifest, BuildOptions, build
from wembed.zoo.progress import Progress

SETTINGS = "experiment.json"
LOG = "log.txt"
LOCK = "experiment.lock"
ZOO = "zoo"
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "torch-geometric", "pylance", "matplotlib")
_HASH_SHOWN = 12  # hexadecimal digits

Show = Callable[[str], AbstractContextManager[Progress]]  # a title -> what takes how many are done, of how many


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
    """

    folder: Path
    manifest: str
    seed: int = 0
    num_models: int | None = None
    num_epochs: int | None = None
    device: str = "auto"

    @property
    def of_zoo(self) -> dict[str, object]:
        """What all calls on one folder must agree on."""
        return {"manifest": self.manifest, "seed": self.seed, "num_models": self.num_models}


@dataclass(frozen=True)
class ExperimentResult:
    """What an experiment left.

    Args:
        folder: where everything is.
        evaluation: what was found.
        files: of the report.
        left_out: encoders that the zoo is too small for, each with what it lacks.
    """

    folder: Path
    evaluation: Evaluation
    files: list[Path]
    left_out: dict[str, str]


@dataclass(frozen=True)
class Log:
    """log.txt: a line per event, with its time; what earlier calls wrote stays."""

    path: Path

    def write(self, text: str) -> None:
        """One line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")

    @contextmanager
    def timed(self, title: str) -> Iterator[None]:
        """Says when something began, how long it took, and whether it was stopped."""
        start = time.monotonic()
        self.write(f"{title}: begun")
        try:
            yield
        except BaseException as error:
            reason = f"{type(error).__name__} {error}".strip()
            self.write(f"{title}: stopped after {time.monotonic() - start:.2f} s by {reason}")
            raise
        self.write(f"{title}: done in {time.monotonic() - start:.2f} s")


@dataclass(frozen=True)
class _Run:
    """How a running experiment speaks: to a file, and to whoever watches."""

    log: Log
    show: Show

    @contextmanager
    def stage(self, title: str) -> Iterator[Progress]:
        """A stage, which takes how many are done, of how many."""
        with self.log.timed(title), self.show(title) as progress:
            yield progress


@contextmanager
def unseen(title: str) -> Iterator[Progress]:
    """A stage that nobody watches."""
    yield lambda done, total: None


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
    with _alone(folder):
        _claim(options)
        run = _Run(Log(folder / LOG), show)
        with run.log.timed("experiment"):
            run.log.write(_circumstances(options, device))
            zoo = _build(options, run)
            left_out = _train(options, zoo, device, run)
            evaluation = _evaluate(options, zoo, device, left_out, run)
            with run.stage("drawing") as progress:
                files = write_report(evaluation, folder, progress=progress)
    return ExperimentResult(folder, evaluation, files, left_out)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps a second process out of a folder, which is made if it isn't there."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout as error:
        hint = "wait for it, or choose another --experiment-name"
        raise WembedError(f"another process works on the experiment in {folder}", hint) from error


def _claim(options: ExperimentOptions) -> None:
    """Marks a folder as that of one zoo; refuses one that is of another."""
    path = options.folder / SETTINGS
    if not path.exists():
        unfinished = path.with_name(f".{SETTINGS}.{os.getpid()}.partial")
        unfinished.write_text(json.dumps(options.of_zoo, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        differing = [name for name, value in options.of_zoo.items() if before[name] != value]
    except (ValueError, KeyError, TypeError) as error:
        raise WembedError(f"{path} does not say what runs in its folder", "choose another --experiment-name") from error
    if differing:
        name = differing[0]
        words = name.replace("_", "-")
        found = f"{options.folder} holds an experiment with {words} {before[name]}, asked for is {options.of_zoo[name]}"
        raise WembedError(found, "choose another --experiment-name")


def _circumstances(options: ExperimentOptions, device: str) -> str:
    import torch

    libraries = " ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    asked = " ".join(f"{name}={value}" for name, value in dataclasses.asdict(options).items())
    return (
        f"wembed {wembed.__version__}, python {platform.python_version()}, {libraries}; {platform.platform()}, "
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, device {device}; {asked}"
    )


def _build(options: ExperimentOptions, run: _Run) -> Zoo:
    manifest = load_manifest(options.manifest, BuildManifest)
    chosen = manifest.scaled(options.num_models) if options.num_models else manifest
    zoo = Zoo(options.folder / ZOO)
    with run.stage("building the zoo") as progress:
        stacks = build(zoo, BuildOptions(chosen, options.seed, progress=progress))
    rows = [row for stack in stacks for row in stack.rows]
    new = sum(len(stack.rows) for stack in stacks if not stack.skipped)
    run.log.write(f"zoo: {len(rows)} checkpoints, {new} of them new, hash {zoo_hash(zoo)}")
    return zoo


def _train(options: ExperimentOptions, zoo: Zoo, device: str, run: _Run) -> dict[str, str]:
    """Trains every encoder that the zoo has enough runs for; gives the others, each with what it lacks."""
    rows = zoo.rows()
    left_out: dict[str, str] = {}
    for model_type in MODEL_TYPES:
        chosen = TrainOptions(model_type, seed=options.seed, device=device)
        chosen = dataclasses.replace(chosen, num_epochs=options.num_epochs or chosen.num_epochs)
        try:
            data = select_data(rows, chosen)
        except NotFoundError as error:
            if model_type == MAIN:
                raise
            left_out[model_type] = error.message
            run.log.write(f"encoder {model_type} is left out: {error.message}")
            continue
        with run.stage(f"training {model_type}") as progress:
            trained = _trained(zoo, data, chosen, progress)
        epochs = f"{len(trained.history)} epochs" if trained.is_new else "there already"
        run.log.write(f"encoder {model_type}: {epochs}, {trained.encoder.id}, data {data.hash}")
    return left_out


def _trained(zoo: Zoo, data: Data, options: TrainOptions, progress: Progress) -> Trained:
    def tell(epoch: Epoch) -> None:
        progress(epoch.epoch, options.num_epochs)

    folder = zoo.root / "encoders" / options.model_type
    return train(data, lambda rows: open_items(zoo, rows), options, folder, report=tell)


def _evaluate(options: ExperimentOptions, zoo: Zoo, device: str, left_out: Mapping[str, str], run: _Run) -> Evaluation:
    names = [name for name in MODEL_TYPES if name not in left_out]
    with run.stage("evaluating") as progress:
        encoders = zoo_encoders(zoo, [*names, *ALWAYS], device)
        evaluation = evaluate(zoo, encoders, EvaluateOptions(options.seed), progress)
    about = {"manifest": Path(options.manifest).name, "zoo hash": zoo_hash(zoo)}
    lacking = {"left out": dict(left_out)} if left_out else {}
    return dataclasses.replace(evaluation, facts=about | evaluation.facts | lacking)


def zoo_hash(zoo: Zoo) -> str:
    """Names what a zoo holds: two zoos with one hash hold the same weights under the same ids."""
    lines = sorted(f"{row.id} {row.content}" for row in zoo.rows())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_HASH_SHOWN]
