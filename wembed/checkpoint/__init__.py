"""Bytes on disk in; names, shapes and lazily read tensors out.

Opening reads a header and nothing else; a tensor is read when it is asked for. Nothing that a file holds is ever run.
"""

from wembed.checkpoint.header import TensorInfo
from wembed.checkpoint.layouts import find_checkpoints
from wembed.checkpoint.memory import in_memory
from wembed.checkpoint.reader import Checkpoint, combined_hash, open_checkpoint
from wembed.checkpoint.writer import write_safetensors

__all__ = [
    "Checkpoint",
    "TensorInfo",
    "combined_hash",
    "find_checkpoints",
    "in_memory",
    "open_checkpoint",
    "write_safetensors",
]
