"""Writing a functionally identical copy of a checkpoint, its neurons shuffled and, on request, rescaled."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint, write_safetensors
from wembed.errors import UsageError, WembedError
from wembed.symmetry.act import Action, apply_action
from wembed.symmetry.find import spec_metadata
from wembed.symmetry.random_actions import random_action
from wembed.symmetry.spec import SymmetrySpec

_HALF = ("BF16", "F16")  # only powers of two scale these exactly
_SCALABLE = {"F64", "F32", *_HALF}


def permute(
    checkpoint: Checkpoint, spec: SymmetrySpec, out: Path, generator: np.random.Generator, rescale: bool = False
) -> list[str]:
    """Write a copy that computes the same function, with the spec in its metadata.

    Args:
        checkpoint: what to copy; names, dtypes and what is no part of the spec stay as they are.
        spec: its symmetries.
        out: a .safetensors path.
        generator: the source of randomness.
        rescale: also multiply every site that allows it by random factors.

    Returns:
        What was not done, in words.

    Raises:
        UsageError: `rescale` where the activations are not known.
        WembedError: nothing may be permuted, or the file cannot be written.
    """
    if not spec.has_free:
        raise WembedError(f"{checkpoint.path}: nothing in it may be permuted", "see why with `wembed inspect`")
    dtypes = {info.dtype for info in checkpoint.tensors.values() if info.is_floating}
    if rescale:
        _check_rescalable(checkpoint, spec, dtypes)
    action = random_action(spec, generator, rescale, powers_of_two=bool(dtypes & set(_HALF)))
    write_safetensors(out, _acted(checkpoint, spec, action, rescale), checkpoint.metadata | spec_metadata(spec))
    frozen = sum(bool(atom.frozen) and atom.kind == "hidden" for atom in spec.atoms.values())
    left = [f"{frozen} hidden groups left as they are, see `wembed inspect`"] if frozen else []
    if rescale and not spec.has_scales:
        left.append("no neuron rescaled, the activations let no scale through")
    guess = "which neurons may be permuted was inferred from names and shapes, not proven"
    return [guess, *left] if spec.tier == "inferred" else left


def _check_rescalable(checkpoint: Checkpoint, spec: SymmetrySpec, dtypes: set[str]) -> None:
    is_known = all(site.activation != "unknown" for site in spec.sites.values() if not site.fixed)
    if not spec.has_scales and not is_known:
        hint = "state them with `wembed inspect --chain ... --save SPEC.json`, then give --spec SPEC.json"
        raise UsageError(f"{checkpoint.path}: nothing in it may be rescaled, its activations are not known", hint)
    if not dtypes <= _SCALABLE:
        raise UsageError(
            f"{checkpoint.path}: {', '.join(sorted(dtypes - _SCALABLE))} weights cannot be rescaled exactly"
        )


def _acted(
    checkpoint: Checkpoint, spec: SymmetrySpec, action: Action, rescale: bool
) -> dict[str, tuple[str, NDArray[np.generic]]]:
    tensors = {}
    acted = dict(apply_action(action, spec, checkpoint.read if rescale else checkpoint.read_stored))
    for name, info in checkpoint.tensors.items():
        if info.is_floating:
            checkpoint.read(name)  # refuses what is not finite
        values = acted[name] if name in acted else checkpoint.read_stored(name)
        stored = encode(values, info.dtype) if rescale and name in acted else values
        tensors[checkpoint.prefix + name] = (info.dtype, stored)
    return tensors


def encode(values: NDArray[np.generic], dtype: str) -> NDArray[np.generic]:
    """Floating values as they are stored in a safetensors dtype; bf16 as uint16, rounded to nearest, ties to even."""
    match dtype:
        case "BF16":
            bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
            return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        case "F16":
            return values.astype(np.float16)
        case "F32":
            return values.astype(np.float32)
        case _:
            return values.astype(np.float64)
