"""The file that these tests download, and what an earlier download may have left of it."""

import hashlib
import json
from pathlib import Path

from wembed.hub.download.partial import Source
from wembed.hub.repository import RemoteFile, Repository

CONTENT = bytes(range(256)) * 1200
SIZE = len(CONTENT)
CUT = SIZE // 3
SHA256 = hashlib.sha256(CONTENT).hexdigest()
GIT = hashlib.sha1(b"blob %d\0" % SIZE + CONTENT).hexdigest()
LARGE = RemoteFile("model.safetensors", SIZE, sha256=SHA256)
SMALL = RemoteFile("config.json", SIZE, oid=GIT)
UNHASHED = RemoteFile("model.safetensors", SIZE)
OUTDATED = RemoteFile("model.safetensors", 999_999, sha256="0" * 64)
OTHER = RemoteFile("other.safetensors", 999_999, sha256="0" * 64)
REPOSITORY = Repository("org/name", "c" * 40, (LARGE,))


def leave(partials: Path, data: bytes, file: RemoteFile = LARGE, sidecar: str | None = None) -> Path:
    """Puts a partial file where an earlier download would have left it, and gives its path."""
    partials.mkdir(parents=True)
    key = Source.of(REPOSITORY, file).key
    known = {"repository": REPOSITORY.id, "path": file.path, "commit": REPOSITORY.commit, "size": file.size}
    known |= {"identity": file.identity, "etag": "first"}
    (partials / f"{key}.json").write_text(json.dumps(known) if sidecar is None else sidecar)
    part = partials / f"{key}.part"
    part.write_bytes(data)
    return part
