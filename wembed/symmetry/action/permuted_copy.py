"""Writing a functionally identical copy of a checkpoint, its neurons shuffled and, on request, rescaled."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint, write_safetensors
from wembed.checkpoint.dtypes import encode
from wembed.errors import UsageError, WembedError
from wembed.symmetry.action.act import apply_action
from wembed.symmetry.action.random_actions import has_continuous, random_action, random_continuous_action
from wembed.symmetry.find import spec_metadata
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
    if not (spec.has_free or (rescale and spec.has_scales)):
        raise _nothing_to_do(checkpoint)
    if rescale:
        _check_rescalable(checkpoint, spec)
    action = random_action(spec, generator, rescale, powers_of_two=bool(_dtypes(checkpoint) & set(_HALF)))
    read = checkpoint.read if rescale else checkpoint.read_stored
    _write(checkpoint, spec, out, dict(apply_action(action, spec, read)), encoded=not rescale)
    left = _left_out(spec)
    if rescale and not spec.has_scales:
        left.append("no neuron rescaled, the activations let no scale through")
    return left


def permute_continuously(
    checkpoint: Checkpoint, spec: SymmetrySpec, out: Path, generator: np.random.Generator
) -> list[str]:
    """Write a copy that a random element of the whole group was applied to, matrices in heads and turned planes too.

    Args:
        checkpoint: what to copy, see `permute`.
        spec: its symmetries.
        out: a .safetensors path.
        generator: the source of randomness.

    Returns:
        What was not done, in words.

    Raises:
        UsageError: activations that are not known, or weights of 16 bits.
        WembedError: nothing may be permuted, or the file cannot be written.
    """
    if not (spec.has_free or spec.has_scales):
        raise _nothing_to_do(checkpoint)
    _check_rescalable(checkpoint, spec)
    half = sorted(_dtypes(checkpoint) & set(_HALF))
    if half:
        hint = "give --rescale, which takes powers of two"
        raise UsageError(f"{checkpoint.path}: {', '.join(half)} weights cannot be mixed exactly", hint)
    action = random_continuous_action(spec, generator)
    _write(checkpoint, spec, out, dict(apply_action(action, spec, checkpoint.read)), encoded=False)
    left = _left_out(spec)
    if not has_continuous(spec):
        left.append("nothing to mix or turn, no heads or low ranks are known")
    return left


def _nothing_to_do(checkpoint: Checkpoint) -> WembedError:
    return WembedError(f"{checkpoint.path}: nothing in it may be permuted", "see why with `wembed inspect`")


def _check_rescalable(checkpoint: Checkpoint, spec: SymmetrySpec) -> None:
    is_known = all(site.activation != "unknown" for site in spec.sites.values() if not site.fixed)
    if not spec.has_scales and not is_known:
        hint = "state them with `wembed inspect --chain ... --save SPEC.json`, then give --spec SPEC.json"
        raise UsageError(f"{checkpoint.path}: nothing in it may be rescaled, its activations are not known", hint)
    others = sorted(_dtypes(checkpoint) - _SCALABLE)
    if others:
        raise UsageError(f"{checkpoint.path}: {', '.join(others)} weights cannot be rescaled exactly")


def _dtypes(checkpoint: Checkpoint) -> set[str]:
    return {info.dtype for info in checkpoint.tensors.values() if info.is_floating}


def _left_out(spec: SymmetrySpec) -> list[str]:
    """What a copy leaves as it was, in words."""
    frozen = sum(bool(atom.frozen) and atom.kind == "hidden" for atom in spec.atoms.values())
    left = [f"{frozen} hidden groups left as they are, see `wembed inspect`"] if frozen else []
    guess = "which neurons may be permuted was inferred from names and shapes, not proven"
    return [guess, *left] if spec.tier == "inferred" else left


def _write(
    checkpoint: Checkpoint, spec: SymmetrySpec, out: Path, acted: Mapping[str, NDArray[np.generic]], encoded: bool
) -> None:
    """Write a checkpoint with some tensors replaced; `encoded` says that these are as they are stored."""
    tensors = {}
    for name, info in checkpoint.tensors.items():
        if info.is_floating:
            checkpoint.read(name)  # refuses what is not finite
        values = acted[name] if name in acted else checkpoint.read_stored(name)
        stored = values if encoded or name not in acted else encode(values, info.dtype)
        tensors[checkpoint.prefix + name] = (info.dtype, stored)
    write_safetensors(out, tensors, checkpoint.metadata | spec_metadata(spec))
