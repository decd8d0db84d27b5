"""What a person wants from the Hub in; the checkpoints to pull out, before a byte of their weights is fetched."""

import functools
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wembed.catalog import CatalogRow, Zoo
from wembed.errors import WembedError
from wembed.hub.listing import HubQuery, find_names
from wembed.hub.session import Hub, HubOptions, is_offline
from wembed.zoo.failure import Failure
from wembed.zoo.progress import Progress, silent
from wembed.zoo.pull.candidate import FACTS, Candidate
from wembed.zoo.pull.lock import LockedRepository, lock_of
from wembed.zoo.pull.look_up import Found, look_up
from wembed.zoo.pull.order import Limits, PullOrder, Wish
from wembed.zoo.pull.where import matching
from wembed.zoo.pull.workers import in_parallel


@dataclass(frozen=True)
class Reach:
    """How to reach what is wanted.

    Args:
        hub: where to ask; None where only what is on disk may be used.
        jobs: how many requests at once.
        stop: set to end what is going on.
    """

    hub: Hub | None
    jobs: int
    stop: threading.Event

    @classmethod
    def online(cls, options: HubOptions, jobs: int = 4) -> "Reach":
        """Gives the way to the Hub, unless HF_HUB_OFFLINE forbids it."""
        if is_offline():
            return cls.offline()
        stop = threading.Event()
        return cls(Hub(options, stop), jobs, stop)

    @classmethod
    def offline(cls) -> "Reach":
        """Gives what only uses this machine."""
        return cls(None, 1, threading.Event())


@dataclass(frozen=True)
class PullPlan:
    """What would be pulled.

    Args:
        candidates: the checkpoints, those that are there already included.
        failures: the repositories and checkpoints that cannot be pulled.
        left_out: how many checkpoints are beyond the limits.
        unasked: how many queries were not asked, as there is no Hub.
    """

    candidates: list[Candidate]
    failures: list[Failure]
    left_out: int
    unasked: int = 0

    @property
    def missing(self) -> list[Candidate]:
        """Those that are not there yet."""
        return [candidate for candidate in self.candidates if not candidate.row]


def plan_pull(zoo: Zoo, order: PullOrder, reach: Reach, progress: Progress = silent) -> PullPlan:
    """Looks up what is wanted.

    Args:
        zoo: that it would go to; need not be there yet.
        order: what is wanted.
        reach: where to ask.
        progress: told after every repository.

    Raises:
        UsageError: if the limits' expression is wrong, or the lock is none.
    """
    matching([dict.fromkeys(FACTS)], order.limits.where or "1")
    lock = lock_of(zoo)
    named = {wish.repo for wish in order.wishes}
    asked = _asked(order.queries, reach)
    names = [name for found in asked if not isinstance(found, Failure) for name in found if name not in named]
    wishes = list(dict.fromkeys([*order.wishes, *(Wish(name, files=order.files) for name in names)]))
    found = _looked_up(wishes, lock, order.limits, reach, progress)
    sources = [one.source for one in found if isinstance(one, Found)]
    sources += [_newest(entry, lock) for entry in order.locked]
    rows = {row.path: row for row in zoo.rows()} if Zoo.is_zoo(zoo.root) else {}
    candidates = _each_once(zoo, [candidate for source in sources for candidate in _candidates(zoo, source, rows)])
    kept = _within(candidates, order.limits)
    failures = [failure for failure in asked if isinstance(failure, Failure)]
    failures += [failure for one in found for failure in (one.failures if isinstance(one, Found) else [one])]
    return PullPlan(kept, failures, len(candidates) - len(kept), 0 if reach.hub else len(order.queries))


def _asked(queries: Sequence[HubQuery], reach: Reach) -> list[list[str] | Failure]:
    """The names that each query finds; none where there is no Hub."""
    found: list[list[str] | Failure] = []
    for query in queries if reach.hub else ():
        try:
            found.append(find_names(reach.hub, query) if reach.hub else [])
        except WembedError as error:
            found.append(Failure(str(query), error))
    return found


def _each_once(zoo: Zoo, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The first of those that are the same checkpoint, which may be asked for by several names."""
    return list({candidate.path(zoo): candidate for candidate in reversed(candidates)}.values())[::-1]


def _looked_up(
    wishes: Sequence[Wish], lock: Sequence[LockedRepository], limits: Limits, reach: Reach, progress: Progress
) -> list[Found | Failure]:
    calls = [functools.partial(look_up, wish, lock, reach.hub, limits) for wish in wishes]
    found: dict[int, Found | Failure] = {}
    for outcome in in_parallel(calls, reach.jobs, reach.stop):
        if isinstance(outcome.error, WembedError):
            found[outcome.number] = Failure(wishes[outcome.number].name, outcome.error)
        else:
            found[outcome.number] = outcome.given()
        progress(len(found), len(wishes))
    return [found[number] for number in sorted(found)]


def _newest(entry: LockedRepository, lock: Sequence[LockedRepository]) -> LockedRepository:
    """What the zoo's own lock knows of an entry of another one."""
    return next((own for own in lock if own.key == entry.key), entry)


def _candidates(zoo: Zoo, source: LockedRepository, rows: Mapping[str, CatalogRow]) -> Iterator[Candidate]:
    for checkpoint in source.checkpoints:
        row = rows.get(zoo.stored_path(source.path_of(zoo, checkpoint)))
        yield Candidate(source, checkpoint, row if row and source.is_whole(zoo, checkpoint) else None)


def _within(candidates: Sequence[Candidate], limits: Limits) -> list[Candidate]:
    allowed = [
        one for one in candidates if limits.allow_listed(one.bytes, one.card) and limits.allow_params(one.params)
    ]
    if not limits.where:
        return allowed
    matches = matching([one.facts() for one in allowed], limits.where)
    return [one for one, is_match in zip(allowed, matches, strict=True) if is_match]
