"""What to look at in; what was found out, one finding after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wembed.doctor.check import Check, guarded
from wembed.doctor.machine import machine
from wembed.doctor.software import software
from wembed.doctor.store import store_health
from wembed.doctor.zoo import zoo_health
from wembed.zoo import Progress, silent


@dataclass(frozen=True)
class Asked:
    """What to look at.

    Args:
        zoo: a folder that is or may become one.
        store: where its embeddings are kept; None for in the zoo.
        is_deep: whether every file of the zoo is read whole and compared with its hash.
        with_hub: whether the Hub is asked, which is the only use of the network.
        progress: told how many files have been read whole.
    """

    zoo: Path
    store: str | None = None
    is_deep: bool = False
    with_hub: bool = False
    progress: Progress = silent


def examine(asked: Asked) -> Iterator[Check]:
    """Looks at everything; what is broken is a finding, never an error."""
    yield from guarded("software", "packages", software)
    yield from machine(asked.zoo)
    yield from guarded("zoo", "catalog", lambda: zoo_health(asked.zoo, asked.is_deep, asked.progress))
    yield from guarded("store", "tables", lambda: store_health(asked.zoo, asked.store))
    if asked.with_hub:
        from wembed.doctor.hub import hub_health  # huggingface_hub is slow to load

        yield from guarded("hub", "reached", hub_health)
