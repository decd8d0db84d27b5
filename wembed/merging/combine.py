"""Merging: networks of one architecture in; one network between them out, and the file that holds it.

The result has the first network's order of neurons, scales and dtypes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint, write_safetensors
from wembed.encoder import Item
from wembed.errors import CheckpointRefusedError, UsageError
from wembed.merging.aligned import Aligned, align, common_spec, unaligned
from wembed.merging.repair import renewed
from wembed.merging.statistics import check_dataset
from wembed.merging.tensors import Tensors
from wembed.models import Dataset
from wembed.models.modules import METADATA_KEY
from wembed.symmetry import spec_metadata
from wembed.symmetry.action.permuted_copy import encode

AlignName = Literal["weights", "none"]

_WRITABLE = ("F64", "F32", "BF16", "F16")
_DATASET = "dataset"  # metadata that a merge of networks of one data set keeps


@dataclass(frozen=True)
class MergeOptions:
    """How networks are averaged.

    Args:
        t: the share of the second of two; all count alike where None.
        align: `weights` brings the others into the first one's scales and order, `none` takes the files as they are.
        dataset: its training part helps to match, and says what units and batch norms see; without it all are averages.
        seed: of the matching.
    """

    t: float | None = None
    align: AlignName = "weights"
    dataset: Dataset | None = None
    seed: int = 0


@dataclass(frozen=True)
class Merged:
    """A network between others.

    Args:
        common: its floating-point tensors in the common scales, float64.
        aligned: what was averaged.
        weights: how much of each network is in it, adding up to 1.
    """

    common: Tensors
    aligned: Aligned
    weights: tuple[float, ...]

    @property
    def tensors(self) -> Tensors:
        """Its floating-point tensors in the first network's own scales, float64."""
        return self.aligned.in_scales_of_first(self.common)


def merge(items: Sequence[Item], options: MergeOptions) -> Merged:
    """The average of two or more networks with their symmetries.

    Raises:
        CheckpointRefusedError: the networks are not mergeable.
        UsageError: fewer than two of them, `t` for more, or a data set that does not fit.
    """
    weights = _shares(len(items), options.t)
    checkpoints, spec = [checkpoint for checkpoint, _ in items], common_spec(items)
    if options.dataset:
        for checkpoint in checkpoints:
            check_dataset(checkpoint, options.dataset)
    if options.align == "none":
        aligned = unaligned(checkpoints, spec)
    else:
        aligned = align(checkpoints, spec, np.random.default_rng(options.seed), options.dataset)
    return finished(aligned, weights, aligned.average(weights), checkpoints[0], options.dataset)


def finished(
    aligned: Aligned, weights: tuple[float, ...], tensors: Tensors, like: Checkpoint, dataset: Dataset | None
) -> Merged:
    """Tensors in common scales as a merged network, its units and statistics renewed where there is data."""
    if dataset:
        tensors = renewed(aligned, weights, tensors, like, dataset)
    return Merged(tensors, aligned, weights)


def _shares(count: int, t: float | None) -> tuple[float, ...]:
    """How much of each network goes into the average."""
    if count < 2:
        raise UsageError(f"merging takes two or more checkpoints, found {count}")
    if t is not None and count > 2:
        raise UsageError(f"-t is the share of the second of two, found {count}", "without it all count alike")
    return (1.0 - t, t) if t is not None else (1.0 / count,) * count


def save_merged(merged: Merged, checkpoints: Sequence[Checkpoint], out: Path, derivation: str) -> None:
    """Write a merged network with its symmetries and what rebuilds it, in the first one's dtypes.

    Args:
        merged: what to write.
        checkpoints: what it was made of.
        out: a .safetensors path.
        derivation: what to keep beside the weights about how it was made.

    Raises:
        WembedError: the file cannot be written.
    """
    first = checkpoints[0]
    check_writable(first)
    values = merged.tensors
    tensors = {first.prefix + name: _stored(values, first, name) for name in first.tensors}
    kept = {METADATA_KEY: first.metadata[METADATA_KEY]} if METADATA_KEY in first.metadata else {}
    dataset = common_dataset(checkpoints)
    kept |= {_DATASET: dataset} if dataset else {}
    write_safetensors(out, tensors, kept | spec_metadata(merged.aligned.spec) | {"derivation": derivation})


def common_dataset(checkpoints: Sequence[Checkpoint]) -> str:
    """The name of the data set that all files say they were trained on, or ""."""
    named = {checkpoint.metadata.get(_DATASET, "") for checkpoint in checkpoints}
    return named.pop() if len(named) == 1 else ""


def check_writable(checkpoint: Checkpoint) -> None:
    """Raises a CheckpointRefusedError if an average cannot be stored in the dtypes of a checkpoint."""
    for info in checkpoint.tensors.values():
        if info.is_floating and info.dtype not in _WRITABLE:
            found = f"tensor {info.name} is {info.dtype}, expected one of {', '.join(_WRITABLE)}"
            raise CheckpointRefusedError(f"{checkpoint.path} is not mergeable: {found}")


def _stored(values: Tensors, first: Checkpoint, name: str) -> tuple[str, NDArray[np.generic]]:
    dtype = first.tensors[name].dtype
    return dtype, encode(values[name], dtype) if name in values else first.read_stored(name)
