"""A file of a repository in; the header of its weights out, or the bytes of a small file, and never a byte more.

A header is read by ranges, checked as one on disk is, and refused before its weights are fetched.
"""

from wembed.checkpoint.header import LENGTH_BYTES, Header, header_length, parse_header
from wembed.errors import CheckpointRefusedError, HubError
from wembed.hub.download.digest import Digest
from wembed.hub.failures import TransientError, shown
from wembed.hub.repository import RemoteFile, Repository
from wembed.hub.session import Hub

FIRST_BYTES = 64_000  # hold the whole header of most checkpoints
MAX_SMALL_BYTES = 20_000_000  # an index of 100,000 tensors takes 10 MB
_POINTER = b"version https://git-lfs"
_PAGES = (b"<!doctype html", b"<html")


def remote_header(hub: Hub, repository: Repository, file: RemoteFile, first: int = FIRST_BYTES) -> Header:
    """Reads and checks the header of a safetensors file of the Hub.

    Args:
        hub: where it is.
        repository: at its commit.
        file: as listed.
        first: bytes to ask for at first, and for the rest of the header where it is longer.

    Raises:
        NotFoundError: if the file isn't there.
        CheckpointRefusedError: if it is empty, truncated, corrupt or no weights at all.
        HubError: if the Hub refuses or can't be reached, or sends another file than the listed one.
    """
    where = _where(repository, file)
    start = _read(hub, repository, file, 0, min(first, file.size)) if file.size else b""
    _check_weights(start, where)
    end = LENGTH_BYTES + header_length(start, file.size, where)
    if end > len(start):
        start += _read(hub, repository, file, len(start), end)
    return parse_header(start, file.size, where)


def small_file(hub: Hub, repository: Repository, file: RemoteFile) -> bytes:
    """Reads a whole file of the Hub, such as a config or an index, and checks its hash.

    Raises:
        NotFoundError: if the file isn't there.
        CheckpointRefusedError: if it is larger than `MAX_SMALL_BYTES`, or its hash is not the listed one.
        HubError: if the Hub refuses or can't be reached, or sends another file than the listed one.
    """
    where = _where(repository, file)
    if file.size > MAX_SMALL_BYTES:
        raise CheckpointRefusedError(f"{where}: {file.size} bytes, expected at most {MAX_SMALL_BYTES}")
    content = _read(hub, repository, file, 0, file.size) if file.size else b""
    digest = Digest(file)
    digest.update(content)
    if digest.mismatch:
        raise CheckpointRefusedError(f"{where}: corrupt: {digest.mismatch}", "try again; else tell who made it")
    return content


def _read(hub: Hub, repository: Repository, file: RemoteFile, first: int, end: int) -> bytes:
    """The bytes from one place to before another one, tried again where that may help."""
    return hub.ask(_where(repository, file), lambda _: _read_once(hub, repository, file, first, end))


def _read_once(hub: Hub, repository: Repository, file: RemoteFile, first: int, end: int) -> bytes:
    where = _where(repository, file)
    with hub.stream(repository, file.path, first, end - 1) as body:
        if body.total is not None and body.total != file.size:
            raise HubError(f"{where}: the Hub lists {file.size} bytes, and sends a file of {body.total}")
        skipped = first - body.start  # of a server that sends the whole file, whatever it is asked for
        taken = bytearray()
        for chunk in body.chunks:
            taken += chunk
            if len(taken) >= skipped + end - first:
                break  # the connection is closed with the stream, and what is left is never sent
    found = bytes(taken[skipped : skipped + end - first])
    if len(found) < end - first:
        raise TransientError(f"{where}: the connection broke: asked for {end - first} bytes, found {len(found)}")
    return found


def _check_weights(start: bytes, where: str) -> None:
    if start.startswith(_POINTER):
        hint = "the repository holds no weights; tell who made it"
        raise CheckpointRefusedError(f"{where}: a git-lfs pointer, expected the weights", hint)
    if start.lstrip().lower().startswith(_PAGES):
        hint = "check HF_ENDPOINT and the proxy: something answers in the Hub's place"
        raise CheckpointRefusedError(f"{where}: a web page, expected the weights", hint)


def _where(repository: Repository, file: RemoteFile) -> str:
    return shown(f"{repository.id}/{file.path}")
