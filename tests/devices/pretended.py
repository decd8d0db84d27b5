"""A CUDA device that is none: tensors of the CPU that say they are on `cuda:0`, and refuse to meet those that don't.

It runs on machines without a GPU and gives the CPU's numbers, forward and back, under autocast and in optimisers. It
finds what a real device would stop at, a tensor that was made or left on the wrong device, and counts how often a real
one would be waited for. To torch's own C++ they are tensors of the CPU; Python sees the device.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

CUDA = torch.device("cuda:0")
CPU = torch.device("cpu")
_AWAY = torch.device("cpu:0")  # how a copy that leaves the device is told from one that only changes the type
_aten = torch.ops.aten
_WAITS = {
    _aten._local_scalar_dense.default: "a number is read",
    _aten.equal.default: "a number is read",
    _aten.nonzero.default: "a size depends on values",
    _aten.masked_select.default: "a size depends on values",
    _aten.bincount.default: "a size depends on values",
    _aten._unique2.default: "a size depends on values",
}


class OnAnotherDeviceError(AssertionError):
    """Tensors of two devices in one operation."""


class Pretended(torch.Tensor):
    """A tensor that says it is on a CUDA device."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner):
        place = {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        made = torch.Tensor._make_wrapper_subclass(cls, inner.size(), dtype=inner.dtype, device=CPU, **place)
        made.inner = inner
        return made

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    def __repr__(self):
        return f"Pretended({self.inner!r})"

    def __deepcopy__(self, memo):
        return Pretended(self.inner.clone())

    def __reduce_ex__(self, protocol):
        return self.inner.__reduce_ex__(protocol)  # what is saved is loaded onto the CPU

    def __tensor_flatten__(self):
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(inner, _meta, _size, _stride):
        return Pretended(inner["inner"])

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        """Answers what torch's C++ would answer for a tensor of the CPU."""
        if func is torch.Tensor.cpu:
            args, func = (args[0], CPU), _moved
        elif func is torch.Tensor.tolist:
            return args[0].cpu().tolist()
        elif func is torch.Tensor.to:
            func = _moved
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs or {})

    @classmethod
    def __torch_dispatch__(cls, func, _types, args=(), kwargs=None):
        return _run(func, args, kwargs or {}, Counter())


class PretendedCuda(TorchDispatchMode):
    """While it is open there is a CUDA device.

    Args:
        waits: how often the device would have been waited for, by why; filled while it is open.
    """

    def __init__(self):
        super().__init__()
        self.waits = Counter()

    def __torch_dispatch__(self, func, _types, args=(), kwargs=None):
        return _run(func, args, kwargs or {}, self.waits)


@contextmanager
def pretended_cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedCuda]:
    """One device, `cuda:0`, with bfloat16; autocast for it is that of the CPU, whose tensors these are in truth."""
    autocast = torch.autocast
    with monkeypatch.context() as patched, PretendedCuda() as mode:
        patched.setattr("torch.cuda.is_available", lambda: True)
        patched.setattr("torch.cuda.device_count", lambda: 1)
        patched.setattr("wembed.device.pinned", lambda tensor: tensor)
        patched.setattr("torch.cuda.is_bf16_supported", lambda including_emulation=True: True)
        patched.setattr("torch.cuda.synchronize", lambda device=None: None)
        patched.setattr("torch.cuda.mem_get_info", lambda device=None: (1 << 36, 1 << 36))
        patched.setattr("torch.cuda.max_memory_allocated", lambda device=None: 0)
        patched.setattr("torch.cuda.empty_cache", lambda: None)
        patched.setattr("torch.cuda.set_device", lambda device: None)
        patched.setattr("torch.cuda._lazy_init", lambda: None)
        patched.setattr("torch.inference_mode", torch.no_grad)  # which has no room for subclasses
        patched.setattr("torch.autocast", lambda kind, **how: autocast("cpu", **how))
        torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=) goes through the mode
        try:
            yield mode
        finally:
            torch._C._set_only_lift_cpu_tensors(False)


def _moved(tensor, *args, **kwargs):
    """`Tensor.to`, which on the CPU would take a move from CUDA for none."""
    copy, blocking = kwargs.pop("copy", False), kwargs.pop("non_blocking", False)
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    for argument in args:
        if isinstance(argument, torch.Tensor):
            device, dtype = argument.device, argument.dtype
        elif isinstance(argument, torch.dtype):
            dtype = argument
        elif isinstance(argument, (str, torch.device)):
            device = argument
    device = tensor.device if device is None else torch.device(device)
    dtype = dtype or tensor.dtype
    if not copy and device.type == tensor.device.type and dtype == tensor.dtype:
        return tensor
    there = _AWAY if device.type == "cpu" else device
    return _aten._to_copy.default(tensor, dtype=dtype, device=there, non_blocking=blocking)


def _run(func, args, kwargs, waits):
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    pretended = [tensor for tensor in tensors if isinstance(tensor, Pretended)]
    asked = kwargs.get("device")
    arrives = asked is not None and torch.device(asked).type == "cuda"
    if not pretended and not arrives:
        return func(*args, **kwargs)
    leaves = asked == _AWAY or (func is _aten.copy_.default and not isinstance(args[0], Pretended))
    if func not in (_aten._to_copy.default, _aten.copy_.default):
        _check_together(func, tensors, pretended)
    if reason := "a tensor is copied to the CPU" if leaves else _why(func, kwargs, arrives, pretended):
        waits[reason] += 1
    if arrives:
        kwargs = kwargs | {"device": CPU}
    found = func(*_plain(args), **_plain(kwargs))
    if leaves:
        return found
    found = tree_map_only(torch.Tensor, Pretended, found)
    return return_and_correct_aliasing(func, args, kwargs, found)


def _why(func, kwargs, arrives, pretended):
    """Why torch waits for the device in an operation that leaves its result there, if it does."""
    if func is _aten._to_copy.default and arrives and not pretended and not kwargs.get("non_blocking"):
        return "a tensor is copied from the CPU, and that is waited for"
    return _WAITS.get(func)


def _plain(values):
    return tree_map_only(Pretended, lambda tensor: tensor.inner, values)


def _check_together(func, tensors, pretended):
    """CUDA takes single numbers of the CPU, and nothing else of it."""
    others = [tensor for tensor in tensors if not isinstance(tensor, Pretended) and tensor.ndim]
    if pretended and others:
        shapes = ", ".join(str(list(tensor.shape)) for tensor in others)
        raise OnAnotherDeviceError(f"{func}: {len(pretended)} tensors on {CUDA}, and on the CPU {shapes}")
