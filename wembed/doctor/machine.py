"""The devices, the memory, the threads and the disks."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from wembed.device import CPU, available_cores, describe, device_counts, device_names, memory, resolve_device
from wembed.doctor.check import Check, guarded, in_units

AREA = "machine"
_LEAST_ROOM = 1 << 28  # bytes; with less no zoo is built and no embedding kept
_LEAST_MEMORY = 1 << 29  # bytes; torch and its friends take about that
_ABOUT_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_ABOUT_DEVICES = ("CUDA_VISIBLE_DEVICES", "PYTORCH_CUDA_ALLOC_CONF")


def machine(zoo: Path) -> Iterator[Check]:
    """What this machine has for wembed to run on.

    Args:
        zoo: a folder that is or may become one.
    """
    yield from guarded(AREA, "devices", _devices)
    yield from guarded(AREA, "memory", _memory)
    yield from guarded(AREA, "threads", _threads)
    places = {"disk of the zoo": zoo, "disk of the Hub's cache": _hub_cache()}
    for name, place in places.items():
        yield from guarded(AREA, name, lambda name=name, place=place: [_disk(name, place)])  # type: ignore[misc]


def _devices() -> Iterator[Check]:
    counts = device_counts()
    found = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    said = _said(_ABOUT_DEVICES)
    yield Check(AREA, "devices", "ok", f"{found}; auto is {resolve_device('auto')}{said}")
    for name in device_names():
        yield from guarded(AREA, name, lambda name=name: [_device(name)])  # type: ignore[misc]


def _device(name: str) -> Check:
    has = memory(name)
    return Check(AREA, name, "ok", f"{describe(name)}, {in_units(has.free)} of {in_units(has.total)} free")


def _memory() -> Iterator[Check]:
    has = memory(CPU)
    found = f"{in_units(has.free)} of {in_units(has.total)} free"
    if has.free < _LEAST_MEMORY:
        yield Check(AREA, "memory", "failed", found, "end what else runs, or work on fewer checkpoints at once")
    else:
        yield Check(AREA, "memory", "ok", found)


def _threads() -> Iterator[Check]:
    import torch

    cores = f"{available_cores()} of {os.cpu_count()} cores"
    yield Check(AREA, "threads", "ok", f"{cores}, {torch.get_num_threads()} threads of torch{_said(_ABOUT_THREADS)}")


def _said(names: tuple[str, ...]) -> str:
    """What the environment says about it."""
    return "".join(f", {name} is {os.environ[name]!r}" for name in names if name in os.environ)


def _disk(name: str, place: Path) -> Check:
    there = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    usage = shutil.disk_usage(there)
    found = f"{in_units(usage.free)} of {in_units(usage.total)} free at {there}"
    if usage.free < _LEAST_ROOM:
        return Check(AREA, name, "failed", found, "free some room")
    if not os.access(there, os.W_OK):
        return Check(AREA, name, "note", f"{found}, which may not be written to")
    return Check(AREA, name, "ok", found)


def _hub_cache() -> Path:
    """Where huggingface_hub keeps files, by its own variables."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home, "hub")).expanduser()
