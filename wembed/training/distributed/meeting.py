"""The place of a process among those of a training in; their group, while it lasts, out.

They meet at a store: torchrun's agent keeps one, or else the first process. Who waits can be interrupted all the while.
"""

import math
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from wembed.device import collective_backend, use_device
from wembed.errors import WembedError
from wembed.training.distributed.membership import Membership, own_place
from wembed.training.distributed.ranks import Ranks, current_ranks

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined] # torch exports it all the same

Note = Callable[[str], None]

_PATIENCE = 600.0  # seconds that one waits for the others
_QUIET = 4.0  # seconds of waiting that nothing is said of
_SHORT = 20.0  # seconds that a process which has failed looks for the first one, and that a store has for an answer
_SLICE = 1.0  # seconds of trying to connect
_POLL = 0.1  # seconds
_HERE = "here"  # counts the processes that have come
_FAILED = "failed"  # counts those that have ended


@contextmanager
def joined(place: Membership, device: str, note: Note = lambda text: None) -> Iterator[Ranks]:
    """The group of all processes of a training, on this process's device, until it is left.

    Args:
        place: of this process.
        device: its own.
        note: told, in words, whom one waits for.

    Raises:
        WembedError: the others are not there.
    """
    import torch.distributed as dist

    try:
        use_device(device)
        store, backend = _met(place, note), collective_backend(device)
        dist.init_process_group(
            backend, store=store, rank=place.rank, world_size=place.count, timeout=timedelta(seconds=_PATIENCE)
        )
    except (RuntimeError, ValueError, TimeoutError) as error:
        where = f"{place.address!r} port {place.port}"
        if "EADDRINUSE" in str(error):
            hint = "set MASTER_PORT to one that is free"
            raise WembedError(f"port {place.port} of {place.address!r} is in use", hint) from error
        message = f"process {place.rank} of {place.count} could not meet the others at {where}"
        raise WembedError(message, "is MASTER_ADDR a machine that all of them reach?") from error
    try:
        yield current_ranks()
    finally:
        with suppress(RuntimeError):  # a peer is gone
            dist.destroy_process_group()


def speaks_first(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether no other process of the training has said yet why it ends; to be asked once.

    Before they have met, the first process speaks, and another one only while the first is there.
    """
    from torch.distributed import distributed_c10d

    place = own_place(environment)
    if place is None:
        return True
    try:
        if not current_ranks().is_alone:
            store = distributed_c10d._get_default_store()
        elif _keeps_store(place):
            return True
        else:
            store = _reached(place, _Waiting(place, time.monotonic() + _SHORT))
        return bool(store.add(_FAILED, 1) == 1)
    except (RuntimeError, TimeoutError):  # it is kept by a process that is gone
        return place.rank == 0


@dataclass
class _Waiting:
    """How long a process waits for others.

    Args:
        place: its own.
        until: by the clock that only goes forward.
        note: told, once, whom it waits for.
        after: when it is told.
    """

    place: Membership
    until: float
    note: Note = lambda text: None
    after: float = math.inf

    def goes_on(self, missing: int) -> None:
        """Waits a moment.

        Raises:
            TimeoutError: it has waited for long enough.
        """
        now = time.monotonic()
        if now > self.until:
            raise TimeoutError
        if now > self.after:
            others = "1 other process" if missing == 1 else f"{missing} other processes"
            self.note(f"waiting for {others} at {self.place.address!r} port {self.place.port}")
            self.after = math.inf
        time.sleep(_POLL)


def _met(place: Membership, note: Note) -> "Store":
    """The store, once all processes have come there; of those of a machine one says whom it waits for."""
    now = time.monotonic()
    waiting = _Waiting(place, now + _PATIENCE, note, math.inf if place.local_rank else now + _QUIET)
    store = _opened(place) if _keeps_store(place) else _reached(place, waiting)
    store.add(_HERE, 1)
    if place.rank:
        waiting.after = math.inf  # the first one says it
    while (missing := place.count - int(store.add(_HERE, 0))) > 0:
        waiting.goes_on(missing)
    return store


def _reached(place: Membership, waiting: _Waiting) -> "Store":
    """The store that another process keeps; torch's own way of waiting for it can't be interrupted."""
    while True:
        try:
            socket.create_connection((place.address, place.port), _SLICE).close()
            return _opened(place)
        except OSError:
            waiting.goes_on(place.count - 1)


def _opened(place: Membership) -> "Store":
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined] # as above

    patience = timedelta(seconds=_SHORT)
    keeps = _keeps_store(place)
    store = TCPStore(place.address, place.port, place.count, keeps, timeout=patience, wait_for_workers=False)
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # torchrun's store is the same after a restart
    return PrefixStore(f"wembed/{attempt}", store)


def _keeps_store(place: Membership) -> bool:
    return place.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
