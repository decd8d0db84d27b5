import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from wembed.checkpoint import write_safetensors
from wembed.cli.app import app

MAIN = "from wembed.cli.app import app; app(prog_name='wembed')"


@dataclass(frozen=True)
class Result:
    """What a call of the command line left."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WEMBED_ZOO", raising=False)
    return tmp_path


@pytest.fixture
def run(capsys) -> Callable[..., Result]:
    """Calls the command line in this process."""

    def call(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as left:
            app([str(argument) for argument in arguments], prog_name="wembed")
        captured = capsys.readouterr()
        return Result(left.value.code or 0, captured.out, captured.err)

    return call


@pytest.fixture
def spawn() -> Callable[..., subprocess.Popen]:
    """Calls the command line in a process of its own."""

    def start(*arguments: str, before: str = "", **settings) -> subprocess.Popen:
        command = [sys.executable, "-c", before + MAIN, *arguments]
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | settings
        return subprocess.Popen(command, **settings)

    return start


@pytest.fixture
def write() -> Callable[..., Path]:
    """Writes a small MLP."""

    def write_mlp(path: str | Path, seed: int = 0, metadata: dict[str, str] | None = None) -> Path:
        generator = np.random.default_rng(seed)
        tensors = {}
        for layer, (source, target) in enumerate([(4, 6), (6, 5), (5, 3)]):
            tensors[f"{2 * layer}.weight"] = ("F32", generator.normal(size=(target, source)).astype(np.float32))
            tensors[f"{2 * layer}.bias"] = ("F32", generator.normal(size=target).astype(np.float32))
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_safetensors(Path(path), tensors, metadata or {})
        return Path(path)

    return write_mlp


@pytest.fixture
def filled(run, write) -> Path:
    """A zoo of three MLPs in the working folder."""
    for seed, name in enumerate("abc"):
        write(f"models/{name}.safetensors", seed, {"dataset": "digits", "accuracy": f"0.{seed + 5}"})
    assert run("zoo", "add", "models").code == 0
    return Path("zoo")
