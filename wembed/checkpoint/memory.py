"""Arrays in; a Checkpoint that lies in memory out, for networks that are made and not stored."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from wembed.checkpoint.dtypes import Array
from wembed.checkpoint.header import TensorInfo
from wembed.checkpoint.part import Part
from wembed.checkpoint.reader import Checkpoint

_DTYPES = {np.dtype(np.float32): "F32", np.dtype(np.float64): "F64"}


def in_memory(
    tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None, path: Path = Path("memory")
) -> Checkpoint:
    """A checkpoint of float32 and float64 arrays; it reads like one on disk, but has no files.

    Args:
        tensors: name -> values.
        metadata: text beside them.
        path: what messages call it.
    """
    infos = {name: TensorInfo(name, _DTYPES[values.dtype], values.shape) for name, values in tensors.items()}
    part = Part(infos, {}, lambda name: _sealed(tensors[name]))
    return Checkpoint(path, (), infos, dict(metadata or {}), {}, "", (), dict.fromkeys(infos, part))


def _sealed(values: Array) -> Array:
    """A view that cannot be written to, so that readers take copies."""
    view = values.view()
    view.flags.writeable = False
    return view
