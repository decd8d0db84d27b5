"""Merging in memory: networks of one architecture in; one network between them out, and the file that holds it.

The result has the first network's order of neurons, scales and dtypes; a base, where there is one, is the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint, write_safetensors
from wembed.checkpoint.dtypes import encode, to_values
from wembed.encoder import Encoder, Item
from wembed.errors import CheckpointRefusedError, UsageError
from wembed.merging.aligned import Aligned, align, common_spec, unaligned
from wembed.merging.methods import NEED_BASE, Combination, combine
from wembed.merging.names import AlignName
from wembed.merging.repair import renewed
from wembed.merging.statistics import check_dataset
from wembed.merging.streamed import WRITABLE
from wembed.merging.streamed.twins import first_names
from wembed.merging.tensors import Tensors
from wembed.models import Dataset
from wembed.models.modules import METADATA_KEY
from wembed.symmetry import spec_metadata
from wembed.symmetry.find import METADATA_KEY as SPEC_KEY

_KEPT = (METADATA_KEY, SPEC_KEY, "format")
_DATASET = "dataset"  # metadata that a merge of networks of one data set keeps


@dataclass(frozen=True)
class MergeOptions:
    """How networks are merged.

    Args:
        t: the share of the second of two; all count alike where None.
        align: `weights` brings the others into the first one's scales and order, `embedding` does so from where an
            encoder sees neurons, `none` takes the files as they are.
        dataset: its training part helps to match, and says what units and batch norms see; without it all are averages.
        seed: of the matching.
        how: the method, instead of `t`; None for an average. Of methods that need a base the first network is it.
        encoder: of `align="embedding"`.
    """

    t: float | None = None
    align: AlignName = "weights"
    dataset: Dataset | None = None
    seed: int = 0
    how: Combination | None = None
    encoder: Encoder | None = None

    @property
    def combination(self) -> Combination:
        """The method with its numbers."""
        return self.how or Combination("linear", t=self.t)


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
    """One network of two or more with their symmetries.

    Raises:
        CheckpointRefusedError: the networks are not mergeable.
        UsageError: fewer than two of them, `t` for more, or a data set that does not fit.
    """
    weights = _shares(len(items), options.combination)
    checkpoints, spec = [checkpoint for checkpoint, _ in items], common_spec(items)
    if options.dataset:
        for checkpoint in checkpoints:
            check_dataset(checkpoint, options.dataset)
    if options.align == "none":
        aligned = unaligned(checkpoints, spec)
    else:
        seen_by = options.encoder if options.align == "embedding" else None
        aligned = align(checkpoints, spec, np.random.default_rng(options.seed), options.dataset, seen_by)
    return finished(
        aligned, weights, _combined(aligned, options.combination, checkpoints), checkpoints[0], options.dataset
    )


def finished(
    aligned: Aligned, weights: tuple[float, ...], tensors: Tensors, like: Checkpoint, dataset: Dataset | None
) -> Merged:
    """Tensors in common scales as a merged network, its units and statistics renewed where there is data."""
    if dataset:
        tensors = renewed(aligned, weights, tensors, like, dataset)
    return Merged(tensors, aligned, weights)


def _combined(aligned: Aligned, how: Combination, checkpoints: Sequence[Checkpoint]) -> Tensors:
    """The networks combined tensor by tensor, in common scales; one tensor under two names stays one."""
    first, *others = aligned.networks
    base, models = (first, others) if how.method in NEED_BASE else (None, aligned.networks)
    masks = first_names(checkpoints) if how.method == "dare" else {}
    combined = {}
    for name in first:
        tensors = [network[name] for network in models]
        merged = combine(how, tensors, base[name] if base else None, masks.get(name, name))
        combined[name] = merged.astype(np.float64)
    return combined


def _shares(count: int, how: Combination) -> tuple[float, ...]:
    """How much of each network is in the result, a base first, adding up to 1."""
    bases = int(how.method in NEED_BASE)
    how.check(count - bases, bool(bases))
    weights = how.weights_of(count - bases)
    total = sum(weights)
    shares = [weight / total for weight in weights] if total > 0 else [1.0 / len(weights)] * len(weights)
    return (*([0.0] * bases), *shares)


def save_merged(
    merged: Merged, checkpoints: Sequence[Checkpoint], out: Path, metadata: Mapping[str, str], dtype: str | None = None
) -> None:
    """Write a merged network with its symmetries and what rebuilds it.

    Args:
        merged: what to write.
        checkpoints: what it was made of.
        out: a .safetensors path.
        metadata: what to keep beside the weights about how it was made.
        dtype: of floating-point tensors, as safetensors files call it; None for the first one's.

    Raises:
        UsageError: a value does not fit the dtype.
        WembedError: the file cannot be written.
    """
    first = checkpoints[0]
    check_writable(first)
    values = merged.tensors
    tensors = {first.prefix + name: _stored(values, first, name, dtype) for name in first.tensors}
    write_safetensors(out, tensors, kept_metadata(checkpoints) | spec_metadata(merged.aligned.spec) | dict(metadata))


def kept_metadata(checkpoints: Sequence[Checkpoint]) -> dict[str, str]:
    """What the first of some files says that is true of a merge of them, too: which network it holds, and of what."""
    dataset, first = common_dataset(checkpoints), checkpoints[0].metadata
    kept = {key: first[key] for key in _KEPT if key in first}
    return kept | ({_DATASET: dataset} if dataset else {})


def common_dataset(checkpoints: Sequence[Checkpoint]) -> str:
    """The name of the data set that all files say they were trained on, or ""."""
    named = {checkpoint.metadata.get(_DATASET, "") for checkpoint in checkpoints}
    return named.pop() if len(named) == 1 else ""


def check_writable(checkpoint: Checkpoint) -> None:
    """Raises a CheckpointRefusedError if an average cannot be stored in the dtypes of a checkpoint."""
    for info in checkpoint.tensors.values():
        if info.is_floating and info.dtype not in WRITABLE:
            found = f"tensor {info.name} is {info.dtype}, expected one of {', '.join(WRITABLE)}"
            raise CheckpointRefusedError(f"{checkpoint.path} is not mergeable: {found}")


def _stored(values: Tensors, first: Checkpoint, name: str, dtype: str | None) -> tuple[str, NDArray[np.generic]]:
    info = first.tensors[name]
    if not info.is_floating or (name not in values and not dtype):
        return info.dtype, first.read_stored(name)
    code = dtype or info.dtype
    whole = values[name] if name in values else first.read(name)
    with np.errstate(over="ignore"):
        stored = encode(whole, code)
    if not np.isfinite(to_values(code, stored)).all():
        found = f"tensor {name!r}: a merged value of {np.abs(whole).max():.3g} does not fit {code}"
        raise UsageError(f"{first.path} merged: {found}", "choose a wider dtype, or a smaller scale")
    return code, stored
