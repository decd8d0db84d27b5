"""Candidate: a checkpoint that may be pulled, and all that is known before a byte of its weights is fetched."""

from dataclasses import dataclass
from pathlib import Path

from wembed.catalog import CatalogRow, Zoo
from wembed.hub.names import is_commit
from wembed.hub.repository import Card
from wembed.zoo.pull.lock import COMMIT_SHOWN, LockedCheckpoint, LockedRepository

FACTS = (
    "id", "repo", "revision", "commit", "files", "bytes", "params", "dtype", "model_type", "library", "pipeline",
    "licence", "tags", "downloads", "likes", "gated", "parent",
)  # fmt: skip
SCHEME = "hf://"


@dataclass(frozen=True)
class Candidate:
    """A checkpoint of a repository.

    Args:
        source: its repository.
        checkpoint: which one.
        row: of the catalog, if it is in the zoo already, whole.
    """

    source: LockedRepository
    checkpoint: LockedCheckpoint
    row: CatalogRow | None = None

    @property
    def card(self) -> Card:
        """What people say about its repository."""
        return self.source.repository.card

    @property
    def id(self) -> str:
        """Of its row: the repository, the revision that was asked for, and which checkpoint of several."""
        if self.row:
            return self.row.id
        revision = self.source.revision
        shown = revision[:COMMIT_SHOWN] if is_commit(revision) else revision
        parts = (self.source.repository.id + (f"@{shown}" if shown else ""), self.checkpoint.remote.name)
        return "/".join(part for part in parts if part)

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return self.checkpoint.remote.bytes

    @property
    def params(self) -> int | None:
        """By the headers of its files; by the Hub where these tell nothing."""
        return self.checkpoint.params if self.checkpoint.params is not None else self.card.parameters

    @property
    def parent(self) -> str | None:
        """What it was made from: as the manifest says, else as its card does."""
        return self.source.parent or next(iter(self.card.base_models), None)

    def path(self, zoo: Zoo) -> Path:
        """Gives where it is in a zoo, or will be."""
        return self.source.path_of(zoo, self.checkpoint)

    def facts(self) -> dict[str, object]:
        """Gives what is known about it, by `FACTS`."""
        card, repository = self.card, self.source.repository
        return {
            "id": self.id,
            "repo": repository.id,
            "revision": self.source.revision or None,
            "commit": repository.commit,
            "files": len(self.checkpoint.remote.files),
            "bytes": self.bytes,
            "params": self.params,
            "dtype": self.checkpoint.dtypes or None,
            "model_type": card.model_type,
            "library": card.library,
            "pipeline": card.pipeline,
            "licence": card.licence,
            "tags": list(card.tags),
            "downloads": card.downloads,
            "likes": card.likes,
            "gated": card.gated,
            "parent": self.parent,
        }
