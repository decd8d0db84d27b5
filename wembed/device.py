"""A device's name in, a device that this machine has out: every line that depends on the device is here."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from wembed.errors import UsageError, WembedError

KNOWN_DEVICES = ("auto", "cpu", "cuda", "cuda:N", "mps")


def resolve_device(name: str) -> str:
    """Gives the torch name of a device that is there.

    Args:
        name: auto (CUDA, else MPS, else the CPU), cpu, cuda, cuda:N or mps.

    Raises:
        UsageError: if there is no device of that name.
        WembedError: if this machine, or this build of torch, doesn't have it.
    """
    if name == "cpu":
        return name
    if name != "mps" and not re.fullmatch(r"auto|cuda(:\d+)?", name, re.ASCII):
        raise UsageError(f"unknown device {name!r}, known are {', '.join(KNOWN_DEVICES)}")
    import torch  # costs a second: the CPU does without

    counts = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if name == "auto":
        return next((kind for kind, count in counts.items() if count), "cpu")
    kind, _, index = name.partition(":")
    if int(index or 0) < counts[kind]:
        return name
    hint = "leave out --gpu and --device to run on the CPU"
    raise WembedError(f"device {name} is not available, found {counts[kind]} {kind} devices", hint)


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
