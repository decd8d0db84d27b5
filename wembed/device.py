"""A device's name in, a device that this machine has out: every line that depends on the device is here.

What runs on a CUDA device runs on the CPU by the same calls: where there is nothing to do, these do nothing.
"""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wembed.errors import UsageError, WembedError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CPU = "cpu"
CUDA = "cuda"
MPS = "mps"
KNOWN_DEVICES = ("auto", CPU, CUDA, f"{CUDA}:N", MPS)
_LONGEST = 40  # characters that are repeated of what is refused

Moved = TypeVar("Moved")


@dataclass(frozen=True)
class Memory:
    """The memory of a device, in bytes.

    Args:
        total: that it has.
        free: that nobody uses.
        peak: the most that this process's tensors have taken; on the CPU, the most that the process has.
    """

    total: int
    free: int
    peak: int


def resolve_device(name: str) -> str:
    """Gives the torch name of a device that is there.

    Args:
        name: auto (CUDA, else MPS, else the CPU), cpu, cuda, cuda:N or mps.

    Raises:
        UsageError: if there is no device of that name.
        WembedError: if this machine, or this build of torch, doesn't have it.
    """
    if name == CPU:
        return name
    if name != MPS and not re.fullmatch(r"auto|cuda(:\d{1,4})?", name, re.ASCII):
        raise UsageError(f"unknown device {name[:_LONGEST]!r}, known are {', '.join(KNOWN_DEVICES)}")
    counts = device_counts()
    if name == "auto":
        return next((kind for kind, count in counts.items() if count), CPU)
    kind, _, index = name.partition(":")
    if int(index or 0) < counts[kind]:
        return name
    hint = f"leave out --gpu and --device to run on the CPU{_why_none(kind)}"
    raise WembedError(f"device {name} is not available, found {counts[kind]} {kind} devices", hint)


def device_counts() -> dict[str, int]:
    """How many CUDA and MPS devices this process can use, fastest kind first."""
    import torch  # costs a second: the CPU does without

    with warnings.catch_warnings():  # a driver that torch can't use is no device, which is said in one line
        warnings.simplefilter("ignore")
        cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0  # some are counted and can't be used
        return {CUDA: cuda, MPS: int(torch.backends.mps.is_available())}


def device_names() -> list[str]:
    """The CUDA and MPS devices that this process can use, by torch's names."""
    counts = device_counts()
    return [f"{CUDA}:{index}" for index in range(counts[CUDA])] + [MPS] * counts[MPS]


def rank_device(local_rank: int) -> str:
    """The device of one of the processes that share this machine: a CUDA device each, or the CPU where there is none.

    Args:
        local_rank: which of this machine's processes, from 0.

    Raises:
        WembedError: there are CUDA devices, but fewer than processes.
    """
    count = device_counts()[CUDA]
    if not count:
        return CPU
    if local_rank >= count:
        hint = f"start at most {count} processes on this machine"
        raise WembedError(f"process {local_rank} of this machine has no device, found {count} {CUDA} devices", hint)
    return f"{CUDA}:{local_rank}"


def collective_backend(device: "str | torch.device") -> str:
    """What torch.distributed sums with between devices of this kind."""
    return "nccl" if _kind(device) == CUDA else "gloo"


def use_device(device: "str | torch.device") -> None:
    """Makes a CUDA device this process's own: collectives and the default stream are on it."""
    if _kind(device) == CUDA:
        import torch

        torch.cuda.set_device(torch.device(device))


def autocast(device: "str | torch.device") -> AbstractContextManager[object]:
    """Products in bfloat16 while it is open, where a CUDA device has that; weights and sums stay float32."""
    import torch

    if _kind(device) == CUDA and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast(CUDA, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolutions in float32 on CUDA, too, whose own default rounds what they multiply to ten bits."""
    import torch

    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@contextmanager
def inference() -> Iterator[None]:
    """Results alone, no gradients; as exact on every device as on the CPU."""
    import torch

    with torch.inference_mode(), full_precision():
        yield


def to_device(batch: Moved, device: "str | torch.device") -> Moved:
    """A tensor, or a batch whose `to(device)` moves its tensors with this; to CUDA the copy runs beside the work.

    What comes from ordinary memory is copied to pinned memory first; torch keeps that until the copy is done.
    """
    import torch

    there = torch.device(device)
    batched: Any = batch  # a tensor, or a dataclass of tensors that knows how to move
    if isinstance(batch, torch.Tensor) and there.type == CUDA and batch.device.type == CPU:
        batched = pinned(batch).to(there, non_blocking=True)
    else:
        batched = batched.to(there)
    return batched  # type: ignore[no-any-return] # to() gives what it is called on


def pinned(tensor: "Tensor") -> "Tensor":
    """A tensor in memory that CUDA devices read by themselves; the same tensor on machines without any."""
    import torch

    return tensor if tensor.is_pinned() or not torch.cuda.is_available() else tensor.pin_memory()


def works_in_cache(device: "str | torch.device") -> bool:
    """Whether a device is fastest on pieces that stay in its cache; the others want as much as there is."""
    return _kind(device) == CPU


def workers_for(device: str) -> int:
    """How many processes keep a device busy: one for each core, or one that has the device to itself."""
    return available_cores() if _kind(device) == CPU else 1


def gpus_for(device: str) -> int:
    """How many CUDA devices a process needs that runs on a device."""
    return int(_kind(device) == CUDA)


def synchronise(device: "str | torch.device") -> None:
    """Waits until a device has done all that it was given: before a clock is read."""
    import torch

    if _kind(device) == CUDA:
        torch.cuda.synchronize(torch.device(device))
    elif _kind(device) == MPS:
        torch.mps.synchronize()


def memory(device: "str | torch.device") -> Memory:
    """How much memory a device has."""
    import torch

    if _kind(device) == CUDA:
        free, total = torch.cuda.mem_get_info(torch.device(device))
        return Memory(total, free, torch.cuda.max_memory_allocated(torch.device(device)))
    if _kind(device) == MPS:
        total, used = torch.mps.recommended_max_memory(), torch.mps.driver_allocated_memory()
        return Memory(total, max(total - used, 0), used)
    return _own_memory()


def forget_peak(device: "str | torch.device") -> None:
    """Starts the count of the peak memory of a CUDA device anew; that of the CPU can't be."""
    import torch

    if _kind(device) == CUDA:
        torch.cuda.reset_peak_memory_stats(torch.device(device))


def free_unused(device: "str | torch.device") -> None:
    """Gives back what torch holds of a device's memory and doesn't use: after an out-of-memory."""
    import torch

    if _kind(device) == CUDA:
        torch.cuda.empty_cache()
    elif _kind(device) == MPS:
        torch.mps.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or this machine, has no more memory."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # MPS, the CPU's allocator and cuBLAS raise a plain RuntimeError.
    said = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(words in str(error) for words in said)


@contextmanager
def deterministic() -> Iterator[None]:
    """Only algorithms that give the same result every time; one that has none fails.

    cuBLAS reads its part from the environment when the first product runs: open it before any work.
    """
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def describe(device: "str | torch.device") -> str:
    """What a device is called by its maker."""
    import platform

    import torch

    if _kind(device) == CUDA:
        found = torch.cuda.get_device_properties(torch.device(device))
        return f"{found.name}, compute capability {found.major}.{found.minor}"
    return platform.processor() or platform.machine()


def torch_build() -> str:
    """What torch was built for."""
    import torch

    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    return f"ROCm {torch.version.hip}" if torch.version.hip else built


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs CPU work on one thread: the same sums in the same order, so the same result, on every number of cores.

    Thousands of small products gain nothing from more: threads that wait for each other take longer than one.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def _kind(device: "str | torch.device") -> str:
    return (device if isinstance(device, str) else device.type).partition(":")[0]


def _why_none(kind: str) -> str:
    """What hides CUDA devices, if anything that can be told does."""
    if kind != CUDA:
        return ""
    if torch_build() == "no CUDA":
        return "; this torch is built without CUDA"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    return f"; CUDA_VISIBLE_DEVICES is {hidden!r}" if hidden is not None else ""


def _own_memory() -> Memory:
    import resource
    import sys

    page = os.sysconf("SC_PAGE_SIZE")
    free = page * os.sysconf("SC_AVPHYS_PAGES") if "SC_AVPHYS_PAGES" in os.sysconf_names else 0
    told = Path("/proc/meminfo")  # what files are kept in is free, too, which only this file says
    if told.exists() and (found := re.search(r"MemAvailable:\s+(\d+) kB", told.read_text())):
        free = int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return Memory(page * os.sysconf("SC_PHYS_PAGES"), free, peak)
