"""A listed file in; the file in the zoo, from wherever its bytes are nearest: the zoo, the Hub's cache, the Hub."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

from wembed.errors import NotFoundError
from wembed.hub.cached import find_cached, take_cached
from wembed.hub.download import download
from wembed.hub.repository import RemoteFile, Repository
from wembed.hub.session import Hub

ONLINE = "pull it once without --offline and HF_HUB_OFFLINE"

Told = Callable[[str, int, int], None]  # the name of a file, how many of its bytes are here, of how many


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file that is to be in the zoo.

    Args:
        repository: at its commit.
        file: as listed.
        target: where it goes.
    """

    repository: Repository
    file: RemoteFile
    target: Path

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"{self.repository.id}/{self.file.path}"


def fetch(wanted: Wanted, hub: Hub | None, partials: Path, copies: Iterable[Path], told: Told) -> RemoteFile:
    """Puts a file in its place, unless it is there.

    Args:
        wanted: the file.
        hub: to fetch from; None where only what is on disk may be used.
        partials: folder of partial files.
        copies: where on disk the same bytes should be.
        told: hears how far it is.

    Returns:
        The file with its sha256.

    Raises:
        NotFoundError: if it isn't on disk and there is no Hub.
        WembedError: see `download`.
        StoppedError: if a person has ended it.
    """
    file, target = wanted.file, wanted.target
    if hub is None or not target.exists():
        cached = find_cached(wanted.repository, file)
        for source in (target, *copies, *((cached,) if cached else ())):
            sha256 = take_cached(source, file, target)
            if sha256:
                told(wanted.name, file.size, file.size)
                return dataclasses.replace(file, sha256=sha256)
    if hub is None:
        raise NotFoundError(f"{wanted.name}: not on this machine", ONLINE)
    hears = lambda here: told(wanted.name, here, file.size)  # noqa: E731
    return dataclasses.replace(file, sha256=download(hub, wanted.repository, file, target, partials, hears))
