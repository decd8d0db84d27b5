"""Real checkpoints of known kinship: fine-tuned networks, snapshots of one run, a pair of unrelated ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint, in_memory, open_checkpoint
from wembed.encoder import Item
from wembed.errors import WembedError
from wembed.symmetry import find_spec

Draw = Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]

_SUFFIXES = (".safetensors", ".pt", ".pth", ".th", ".npz")
_NOISE = 0.05  # of a distractor, as a share of the deviation of a tensor's entries


def opened(path: Path) -> Item:
    """A checkpoint with its symmetries."""
    checkpoint = open_checkpoint(path)
    return checkpoint, find_spec(checkpoint)


def all_real(folder: Path) -> dict[str, Item]:
    """Every checkpoint that can be read, by its path in the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in _SUFFIXES:
            try:
                found[str(path.relative_to(folder))] = opened(path)
            except WembedError:
                continue  # what wembed does not read is no part of a gallery
    return found


def same_run(folder: Path) -> list[tuple[Path, Path]]:
    """The pairs of an earlier snapshot, kept as the best model, and the last one of its run."""
    best = sorted(folder.rglob("best_model.policy.pth"))
    return [(path, next(other for other in sorted(path.parent.glob("*.pth")) if other != path)) for path in best]


def distractors(item: Item, count: int, generator: np.random.Generator) -> list[Item]:
    """Unrelated networks of the same shape: by turns with its entries shuffled and noised, and random ones.

    Both have the deviation of every tensor, the shuffled ones its quantiles too.
    """
    made: list[Item] = []
    for number in range(count):
        draw = _shuffled if number % 2 else _random
        made.append((_changed(item[0], draw, generator), item[1]))
    return made


def _changed(checkpoint: Checkpoint, draw: Draw, generator: np.random.Generator) -> Checkpoint:
    tensors = {name: np.asarray(checkpoint.read(name), dtype=np.float64) for name in checkpoint.tensors}
    drawn = {name: draw(values, generator).astype(np.float32) for name, values in tensors.items()}
    return in_memory(drawn, checkpoint.metadata, checkpoint.path)


def _shuffled(values: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    shuffled = generator.permutation(values.ravel()).reshape(values.shape)
    return shuffled + generator.normal(0.0, _NOISE * values.std(), values.shape)


def _random(values: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    return generator.normal(0.0, np.sqrt(np.square(values).mean()), values.shape)
