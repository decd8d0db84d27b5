"""inputs.json: what went into an experiment and what came out, by hash, so that others can repeat and check it."""

import hashlib
import json
import os
import platform
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch

import wembed
from wembed.catalog import Zoo
from wembed.catalog.manifest import find_manifest

INPUTS = "inputs.json"
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "torch-geometric", "pylance", "matplotlib")
_HASH_SHOWN = 12  # hexadecimal digits


@dataclass(frozen=True)
class Inputs:
    """What results depend on, and the results.

    Args:
        command: that repeats it.
        manifest: sha256 of the zoo's manifest.
        datasets: name -> digest of the data.
        zoo: see `zoo_hash`.
        encoders: name -> id, which is a hash of weights and settings.
        evaluation: hash of how it was evaluated.
        results: sha256 of results.json.
        versions: of wembed, python and the libraries.
        machine: its platform and number of cores; another one may differ in the last digits.
    """

    command: str
    manifest: str
    datasets: dict[str, str]
    zoo: str
    encoders: dict[str, str]
    evaluation: str
    results: str
    versions: dict[str, str]
    machine: str

    @property
    def key(self) -> tuple[object, ...]:
        """What the results are a function of."""
        return self.zoo, self.encoders, self.evaluation, self.versions, self.machine


@dataclass(frozen=True)
class PooledInputs:
    """What pooled results depend on, and these.

    Args:
        command: that repeats it.
        studies: folder -> sha256 of the inputs.json in it.
        results: sha256 of results.json.
    """

    command: str
    studies: dict[str, str]
    results: str


def write_inputs(inputs: Inputs | PooledInputs, folder: Path) -> None:
    """Writes inputs.json into a folder, whole or not at all."""
    unfinished = folder / f".{INPUTS}.{os.getpid()}.partial"
    unfinished.write_text(json.dumps(asdict(inputs), indent=1) + "\n", encoding="utf-8")
    unfinished.replace(folder / INPUTS)


def read_inputs(folder: Path) -> Inputs | None:
    """What an earlier call wrote; None if it is not there, or no such file."""
    try:
        return Inputs(**json.loads((folder / INPUTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def command_of(words: Mapping[str, object]) -> str:
    """The call that repeats an experiment.

    Args:
        words: option -> value; True for a flag, options of None are left out.
    """
    said = ["wembed", "experiment"]
    for option, value in words.items():
        if value is not None and value is not False:
            said += [option] if value is True else [option, str(value)]
    return shlex.join(said)


def versions() -> dict[str, str]:
    """Of what computes."""
    libraries = {name: version(name) for name in _LIBRARIES}
    return {"wembed": wembed.__version__, "python": platform.python_version()} | libraries


def machine(device: str) -> str:
    """Where it is computed."""
    return f"{platform.platform()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, device {device}"


def manifest_hash(manifest: str) -> str:
    """The sha256 of a manifest's file."""
    return file_hash(find_manifest(manifest))


def file_hash(path: Path) -> str:
    """The sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def dataset_digests(zoo: Zoo) -> dict[str, str]:
    """Name -> digest of the data sets that a built zoo was trained on."""
    found = (json.loads(path.read_text(encoding="utf-8")) for path in (zoo.root / "runs/build/data").glob("*.json"))
    return dict(sorted((one["name"], one["digest"]) for one in found))


def zoo_hash(zoo: Zoo) -> str:
    """Names what a zoo holds: two zoos with one hash hold the same weights under the same ids."""
    lines = sorted(f"{row.id} {row.content}" for row in zoo.rows())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_HASH_SHOWN]
