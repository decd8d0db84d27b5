"""Repositories of the loopback Hub: folders of files in; the answers that the Hub's pages give about them out."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

LARGE_SUFFIXES = (".safetensors", ".bin", ".pt", ".ckpt", ".h5", ".onnx", ".msgpack")
_PIECE = 1 << 20  # bytes


@dataclass
class Claims:
    """What the Hub says of a repository beside what its files show.

    Args:
        card: the front matter of its README, as the Hub parses it.
        tags: of it.
        config: such as {"model_type": "bert"}.
        library: such as transformers.
        pipeline: such as fill-mask.
        downloads: of the last month.
        likes: of people.
        safetensors: counts of parameters, such as {"parameters": {"F32": 10}, "total": 10}.
        model_index: as the Hub gives it beside the card.
        gated: "auto" or "manual": everybody sees the listing, only who has the server's token its files.
        private: only who has the server's token sees it.
        disabled: nobody gets anything.
        revisions: names of further branches, tags or commits, each with a folder of files.
        contents: files that are not on disk, by path; the path may be one that no disk takes.
        listing: siblings to claim in the place of the true ones.
        answer: keys to put over those of the answer to model_info; None takes one away.
    """

    card: object = None
    tags: list[str] = field(default_factory=list)
    config: object = None
    library: str | None = None
    pipeline: str | None = None
    downloads: int = 0
    likes: int = 0
    safetensors: object = None
    model_index: object = None
    gated: str | bool = False
    private: bool = False
    disabled: bool = False
    revisions: dict[str, Path] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    listing: list[Any] | None = None
    answer: dict[str, Any] = field(default_factory=dict)


class Snapshot:
    """The files of a repository at one revision."""

    def __init__(self, folder: Path, claims: Claims) -> None:
        self.folder, self.claims = folder, claims

    def siblings(self) -> list[Any]:
        """All files with their sizes and hashes, or what is claimed instead."""
        if self.claims.listing is not None:
            return self.claims.listing
        on_disk = sorted(path for path in self.folder.rglob("*") if path.is_file())
        named = {path.relative_to(self.folder).as_posix(): _file_hashes(path) for path in on_disk}
        named.update({name: _hashes((content,), len(content)) for name, content in self.claims.contents.items()})
        return [_sibling(name, hashes) for name, hashes in named.items()]

    def tree(self) -> list[dict[str, Any]]:
        """The same, as list_repo_tree and get_paths_info want it."""
        return [_tree_entry(sibling) for sibling in self.siblings()]

    @property
    def commit(self) -> str:
        """A sha that changes with the files."""
        return hashlib.sha1(json.dumps(self.siblings()).encode()).hexdigest()

    def etag(self, name: str) -> str:
        """What the Hub gives for a file: the sha256 of a large one, git's hash of another."""
        claimed = (entry for entry in self.siblings() if isinstance(entry, dict) and entry.get("rfilename") == name)
        entry = next(claimed, {})
        large = entry.get("lfs")
        return str(large["sha256"] if large else entry.get("blobId") or "0" * 40)

    def info(self, name: str) -> dict[str, Any]:
        """The answer to model_info."""
        claims = self.claims
        answer = {
            "_id": "0",
            "id": name,
            "modelId": name,
            "author": name.split("/")[0],
            "sha": self.commit,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "private": claims.private,
            "gated": claims.gated,
            "disabled": claims.disabled,
            "downloads": claims.downloads,
            "likes": claims.likes,
            "tags": claims.tags,
            "library_name": claims.library,
            "pipeline_tag": claims.pipeline,
            "config": claims.config,
            "cardData": claims.card,
            "safetensors": claims.safetensors,
            "model-index": claims.model_index,
            "siblings": self.siblings(),
        } | claims.answer
        return {key: value for key, value in answer.items() if value is not None}


def _sibling(name: str, hashes: tuple[int, str, str]) -> dict[str, Any]:
    size, sha256, oid = hashes
    if not name.endswith(LARGE_SUFFIXES):
        return {"rfilename": name, "size": size, "blobId": oid}
    return {
        "rfilename": name,
        "size": size,
        "blobId": hashlib.sha1(sha256.encode()).hexdigest(),
        "lfs": {"sha256": sha256, "size": size, "pointerSize": 134},
    }


def _tree_entry(sibling: dict[str, Any]) -> dict[str, Any]:
    entry = {"type": "file", "path": sibling["rfilename"], "size": sibling.get("size"), "oid": sibling.get("blobId")}
    if large := sibling.get("lfs"):
        entry["lfs"] = {"oid": large["sha256"], "size": large["size"], "pointerSize": large["pointerSize"]}
    return entry


def _file_hashes(path: Path) -> tuple[int, str, str]:
    status = path.stat()
    return _hashes_at(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=10_000)
def _hashes_at(path: Path, size: int, _changed: int) -> tuple[int, str, str]:
    with path.open("rb") as file:
        return _hashes(iter(lambda: file.read(_PIECE), b""), size)


def _hashes(pieces: Any, size: int) -> tuple[int, str, str]:
    sha256, oid = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size)
    for piece in pieces:
        sha256.update(piece)
        oid.update(piece)
    return size, sha256.hexdigest(), oid.hexdigest()
