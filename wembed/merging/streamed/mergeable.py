"""Opened checkpoints in; whether they can be merged tensor by tensor, and stored, out. Headers alone are looked at."""

from collections.abc import Sequence

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError, UsageError

WRITABLE = ("F64", "F32", "BF16", "F16")


def check_mergeable(checkpoints: Sequence[Checkpoint], dtype: str | None) -> None:
    """Whether networks can be merged tensor by tensor, and stored.

    Args:
        checkpoints: the first is what the result will be like.
        dtype: of the result; None for those of the first.

    Raises:
        UsageError: nothing is written in that dtype.
        CheckpointRefusedError: they cannot.
    """
    if dtype is not None and dtype not in WRITABLE:
        raise UsageError(f"unknown dtype {dtype!r}", f"known are {', '.join(WRITABLE)}")
    like, *others = checkpoints
    for other in others:
        _check_shapes(like, other)
    for checkpoint in checkpoints:
        for name, info in checkpoint.tensors.items():
            if info.is_scaled:
                found = f"tensor {name!r} is {info.dtype} with scales, which is read and not merged"
                raise CheckpointRefusedError(f"{checkpoint.path}: {found}", "save its weights as floats first")
    for name, info in like.tensors.items():
        if info.is_floating and (dtype or info.dtype) not in WRITABLE:
            found = f"tensor {name!r} is {info.dtype}, which is not written"
            raise CheckpointRefusedError(f"{like.path}: {found}", f"choose a dtype: {', '.join(WRITABLE)}")


def _check_shapes(like: Checkpoint, other: Checkpoint) -> None:
    """Raises a CheckpointRefusedError that names the first floating-point tensor that differs."""
    for name in dict.fromkeys([*like.tensors, *other.tensors]):
        found = [_described(checkpoint, name) for checkpoint in (like, other)]
        if found[0] != found[1]:
            differ = f"tensor {name!r} is {found[0]} and {found[1]}"
            raise CheckpointRefusedError(f"{like.path} and {other.path} are not mergeable: {differ}")


def _described(checkpoint: Checkpoint, name: str) -> str:
    """The shape of a floating-point tensor; others are not compared."""
    info = checkpoint.tensors.get(name)
    return str(list(info.shape)) if info and info.is_floating else "no float" if info else "nothing"
