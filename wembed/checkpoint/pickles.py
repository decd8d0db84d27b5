"""A file that torch.save wrote in; its tensors out, through torch.load(weights_only=True) and nothing else.

torch is imported by the functions that need it, so that safetensors files never wait for it.
"""

import re
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from wembed.checkpoint.dtypes import Array
from wembed.checkpoint.header import TensorInfo
from wembed.checkpoint.part import Part
from wembed.checkpoint.statedict import find_state_dict
from wembed.errors import CheckpointRefusedError

if TYPE_CHECKING:
    import torch

DTYPE_NAMES = {
    "torch.bool": "BOOL",
    "torch.uint8": "U8",
    "torch.int8": "I8",
    "torch.uint16": "U16",
    "torch.int16": "I16",
    "torch.uint32": "U32",
    "torch.int32": "I32",
    "torch.uint64": "U64",
    "torch.int64": "I64",
    "torch.float8_e4m3fn": "F8_E4M3",
    "torch.float8_e5m2": "F8_E5M2",
    "torch.float16": "F16",
    "torch.bfloat16": "BF16",
    "torch.float32": "F32",
    "torch.float64": "F64",
    "torch.complex64": "C64",
}
MAX_EXPANDED_BYTES = 2**26  # a tensor of stride 0 can claim terabytes; masks and position ids stay far below this
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")
_UNPICKLER = re.compile(r"WeightsUnpickler error:\s*(.+)")


def read_pickle(path: Path, zipped: bool) -> Part:
    """Opens a torch weight file; zipped files are memory-mapped.

    Args:
        path: the file.
        zipped: whether it is in the zip format that torch.save has written since 1.6.

    Raises:
        CheckpointRefusedError: if it needs code to be run, is broken, or holds what is not a dense tensor.
    """
    import torch

    state = find_state_dict(_load(path, zipped), torch.is_tensor, path)
    infos = {name: _tensor_info(name, tensor, path) for name, tensor in state.tensors.items()}
    tensors = state.tensors
    return Part(infos, state.metadata, lambda name: _stored(tensors[name]), state.notices)


def _load(path: Path, zipped: bool) -> object:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch thinks of a file is for us to say, in one line
            return torch.load(str(path), map_location="cpu", weights_only=True, mmap=zipped)
    # Broken bytes make the unpickler fail in every way that Python knows; none of them is a fault of ours.
    except Exception as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: Exception) -> CheckpointRefusedError:
    text = str(error) if isinstance(error, RuntimeError | UnpicklingError) else "its pickle is broken"
    if found := _GLOBAL.search(text):
        hint = "load it where you trust it, and save its state_dict as safetensors"
        return CheckpointRefusedError(f"{path}: unsafe pickle: needs {found[1]}, which is never run", hint)
    reason = found[1] if (found := _UNPICKLER.search(text)) else text
    reason = " ".join(reason.split()).split(". ")[0].rstrip(".")
    return CheckpointRefusedError(f"{path}: not a readable torch file: {reason}")


def _tensor_info(name: str, tensor: "torch.Tensor", path: Path) -> TensorInfo:
    import torch

    kind = str(tensor.layout).removeprefix("torch.")
    kind = "quantised" if tensor.is_quantized else "nested" if tensor.is_nested else kind
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested:
        raise CheckpointRefusedError(f"{path}: tensor {name!r} is {kind}, expected a dense one")
    if tensor.device.type != "cpu":
        raise CheckpointRefusedError(f"{path}: tensor {name!r} has no data, it is on the {tensor.device.type} device")
    if str(tensor.dtype) not in DTYPE_NAMES:
        raise CheckpointRefusedError(f"{path}: tensor {name!r}: dtype {tensor.dtype} is not read")
    claimed = tensor.numel() * tensor.element_size()
    if claimed > max(tensor.untyped_storage().nbytes(), MAX_EXPANDED_BYTES):
        held = tensor.untyped_storage().nbytes()
        raise CheckpointRefusedError(f"{path}: corrupt: tensor {name!r} claims {claimed} bytes, found {held}")
    return TensorInfo(name, DTYPE_NAMES[str(tensor.dtype)], tuple(tensor.shape))


def _stored(tensor: "torch.Tensor") -> Array:
    import torch

    dense = tensor.detach().resolve_conj().resolve_neg().contiguous()
    if dense.dtype is torch.bfloat16:
        dense = dense.view(torch.uint16)
    elif dense.dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        dense = dense.view(torch.uint8)
    stored: Array = dense.numpy()
    return stored
