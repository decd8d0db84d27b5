"""The checkpoints of zoo_manifests/quickstart: a few small networks really trained on scikit-learn's digits.

Run `python -m wembed.zoo.quickstart FOLDER` to make them again: for each architecture two runs from different seeds
with an early and a late snapshot each, and a child of every first run, fine-tuned on half of the digits.
"""

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wembed.checkpoint import write_safetensors
from wembed.symmetry import spec_metadata
from wembed.symmetry.declare import declare_spec

_EPOCHS = (3, 30)  # of the early and the late snapshot
_CHILD_EPOCHS = 5
_BATCH = 64
_LEARNING_RATE = 3e-3
_HELD_OUT = 500  # of 1,797 digits

# Each architecture as its chain, and the sizes of what it writes: dense layers in order, then the module of each step.
ARCHITECTURES = {
    "mlp-relu": ["0", "relu", "2", "relu", "4"],
    "mlp-tanh": ["0", "tanh", "2", "tanh", "4"],
    "cnn-relu": ["0", "1", "relu", "3", "4", "relu", "max_pool", "flatten", "8"],
}


@dataclass(frozen=True)
class Digits:
    """Images [N, 64] in 0 to 1 and labels [N], split once and for all."""

    images: Tensor
    labels: Tensor
    held_out_images: Tensor
    held_out_labels: Tensor


def load_digits() -> Digits:
    """Scikit-learn's 1,797 digits of 8 x 8 pixels, the same 500 held out every time."""
    from sklearn.datasets import load_digits as read

    data = read()
    order = np.random.default_rng(0).permutation(len(data.target))
    images = torch.from_numpy(data.data[order] / 16.0).float()
    labels = torch.from_numpy(data.target[order]).long()
    held, rest = slice(None, _HELD_OUT), slice(_HELD_OUT, None)
    return Digits(images[rest], labels[rest], images[held], labels[held])


def build_module(architecture: str) -> nn.Sequential:
    """A network of one of the architectures, freshly initialised."""
    if architecture == "cnn-relu":
        return nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10)),
        )
    activation = nn.ReLU if architecture == "mlp-relu" else nn.Tanh
    hidden = (nn.Linear(64, 32), activation(), nn.Linear(32, 32), activation())
    return nn.Sequential(*hidden, nn.Linear(32, 10))


def make(folder: Path) -> None:
    """Train all networks and write them, with rows.csv, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    rows: list[dict[str, object]] = []
    for architecture in ARCHITECTURES:
        for seed in (0, 1):
            rows += _run(folder, digits, architecture, seed)
    with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[-1]))
        writer.writeheader()
        writer.writerows(rows)


def _run(folder: Path, digits: Digits, architecture: str, seed: int) -> Iterator[dict[str, object]]:
    """One run: its snapshots, and for the first seed a fine-tuned child. Yields a row per file."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build_module(architecture)
        run, done = f"{architecture}-{seed}", 0
        for epochs in _EPOCHS:
            _train(module, digits.images, digits.labels, epochs - done)
            done = epochs
            yield _write(folder, digits, architecture, module, f"{run}-epoch{epochs}", run, seed, epochs, "")
        if seed == 0:
            parent, half = f"{run}-epoch{done}", len(digits.images) // 2
            _train(module, digits.images[:half], digits.labels[:half], _CHILD_EPOCHS)
            name = f"{run}-finetuned"
            yield _write(folder, digits, architecture, module, name, name, seed, _CHILD_EPOCHS, parent)


def _train(module: nn.Module, images: Tensor, labels: Tensor, epochs: int) -> None:
    optimizer = torch.optim.Adam(module.parameters(), lr=_LEARNING_RATE)
    module.train()
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(_shaped(module, images[batch])), labels[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def _shaped(module: nn.Module, images: Tensor) -> Tensor:
    convolutional = any(isinstance(layer, nn.Conv2d) for layer in module.modules())
    return images.view(-1, 1, 8, 8) if convolutional else images


def accuracy(module: nn.Module, digits: Digits) -> float:
    """The share of held-out digits that a network names rightly."""
    module.eval()
    with torch.inference_mode():
        found = module(_shaped(module, digits.held_out_images)).argmax(1)
    return float((found == digits.held_out_labels).double().mean())


def _write(
    folder: Path,
    digits: Digits,
    architecture: str,
    module: nn.Module,
    name: str,
    run: str,
    seed: int,
    step: int,
    parent: str,
) -> dict[str, object]:
    """One checkpoint with its spec in its metadata; its row of rows.csv."""
    tensors = {key: value.numpy() for key, value in module.state_dict().items() if value.is_floating_point()}
    spec = declare_spec({key: value.shape for key, value in tensors.items()}, [ARCHITECTURES[architecture]])
    path = folder / f"{name}.safetensors"
    write_safetensors(path, {key: ("F32", value) for key, value in tensors.items()}, spec_metadata(spec))
    measured = round(accuracy(module, digits), 4)
    columns = {"architecture": architecture, "dataset": "digits", "run": run, "seed": seed, "step": step}
    return {"path": path.name, **columns, "parent": parent, "accuracy": measured}


def main(arguments: Sequence[str]) -> None:
    """The command line: one folder."""
    make(Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
