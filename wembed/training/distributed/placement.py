"""What a person asks for in; the device and the number of processes of a training out, before any work."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from wembed.device import CPU, CUDA, available_cores, device_counts, rank_device, resolve_device
from wembed.errors import UsageError, WembedError
from wembed.training.distributed.membership import Membership, own_place

ALL = "all"
_MOST_PER_CORE = 4  # processes on the CPU; more only wait for each other
_LONGEST = 40  # characters that are repeated of what is refused


@dataclass(frozen=True)
class Placement:
    """Where a training runs.

    Args:
        device: of this process, or the kind of device that each process of `processes` has one of.
        processes: to be started; 1 where this process trains itself.
        place: of this process among others that a launcher started; None where it is alone.
    """

    device: str
    processes: int
    place: Membership | None


def placed(device: str, devices: str, environment: Mapping[str, str]) -> Placement:
    """Where a training runs that is asked for.

    Args:
        device: see `resolve_device`.
        devices: how many of this machine, or all.
        environment: where launchers of processes say what they have started.

    Raises:
        UsageError: the number is none, or contradicts the device or a launcher.
        WembedError: there are not so many devices.
    """
    place = own_place(environment)
    if place is not None:
        if devices != "1":
            message = f"--devices {devices!r} in one of {place.count} processes that a launcher has started"
            raise UsageError(message, "leave out --devices: each process has one device")
        if ":" in device:
            message = f"--device {device} in one of {place.count} processes that a launcher has started"
            raise UsageError(message, "give --device cuda: each process has a device of its own")
        return Placement(device_of(place, resolve_device(device)), 1, place)
    processes = _number(devices)
    found = resolve_device(device)
    if processes == 1:
        return Placement(found, 1, None)
    if ":" in found:
        raise UsageError(f"--devices {devices} and --device {device} contradict each other", "give one of them")
    count = _available(found)
    if processes is None:
        return Placement(found, max(1, count), None)
    if found != CPU and processes > count:
        message = f"--devices {processes} is more than there are, found {count} {found} devices"
        raise WembedError(message, "give a smaller number, or all")
    if found == CPU and processes > _MOST_PER_CORE * available_cores():
        message = f"--devices {processes} is more than {_MOST_PER_CORE} processes for each of {available_cores()} cores"
        raise WembedError(message, "give a smaller number, or all")
    return Placement(found, processes, None)


def device_of(place: Membership, device: str) -> str:
    """The device of a process among others, of a kind."""
    if not device.startswith(CUDA):
        return device
    count = device_counts()[CUDA]
    return rank_device(place.local_rank % count if place.has_own_devices and count else place.local_rank)


def _number(devices: str) -> int | None:
    """How many; None for all."""
    if devices == ALL:
        return None
    if not re.fullmatch(r"[1-9]\d{0,3}", devices, re.ASCII):
        raise UsageError(f"--devices {_shortened(devices)!r}: expected a number from 1 to 9999, or {ALL}")
    return int(devices)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _available(device: str) -> int:
    """How many devices of a kind there are; the processor is one, which any number of processes may share."""
    return 1 if device == CPU else device_counts()[device]
