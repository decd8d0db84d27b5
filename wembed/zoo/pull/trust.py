"""Parts of a lock that may come from somebody else in; an error out where they are not what the Hub could have said."""

import math
import re

from wembed.hub.card import LONGEST_TEXT
from wembed.hub.listing import MAX_FILE_BYTES
from wembed.hub.names import RepositoryName, check_clashes, check_path, is_commit
from wembed.hub.repository import Card, RemoteFile, Repository
from wembed.zoo.pull.choose import RemoteCheckpoint

_SHA256, _OID = re.compile(r"([0-9a-f]{64})?"), re.compile(r"([0-9a-f]{40})?")
_LARGEST_COUNT = 2**63 - 1
_LONGEST_REASON = 2000  # characters


def check_repository(repository: Repository) -> None:
    """Checks the name, the commit and the card of a repository.

    Raises:
        ValueError: if they are none.
        UsageError: if the name is none.
    """
    if RepositoryName.parse(repository.id).revision or not is_commit(repository.commit):
        raise ValueError("expected the name of a repository and the full sha of a commit")
    _check_card(repository.card)


def check_checkpoint(remote: RemoteCheckpoint) -> None:
    """Checks the names, sizes and hashes of a checkpoint's files.

    Raises:
        ValueError: if there is no weight file, or a size or a hash is none.
        CheckpointRefusedError: if a name is not safe to write.
    """
    if not remote.weights:
        raise ValueError("a checkpoint without weights")
    if remote.name:
        check_path(remote.name)
    for file in remote.files:
        _check_file(file)
    check_clashes([file.path for file in remote.files])


def check_count(what: str, value: int | None) -> None:
    """Raises a ValueError if a number counts nothing."""
    if value is not None and not 0 <= value <= _LARGEST_COUNT:
        raise ValueError(f"{what} is {value}"[:LONGEST_TEXT])


def check_text(text: str | None, longest: int = _LONGEST_REASON) -> None:
    """Raises a ValueError if a text can't be shown on a line."""
    if text is not None and (not text.isprintable() or len(text) > longest):
        raise ValueError(f"text {text[:longest]!r}")


def _check_file(file: RemoteFile) -> None:
    check_path(file.path)
    if not 0 <= file.size <= MAX_FILE_BYTES:
        raise ValueError(f"size is {file.size}"[:LONGEST_TEXT])
    if not _SHA256.fullmatch(file.sha256) or not _OID.fullmatch(file.oid):
        raise ValueError(f"{file.path}: a hash that is none")


def _check_card(card: Card) -> None:
    for count in (card.downloads, card.likes, card.parameters):
        check_count("a count", count)
    texts = (card.model_type, card.library, card.pipeline, card.licence, card.relation, *card.tags, *card.base_models)
    for metric in card.metrics:
        if not math.isfinite(metric.value):
            raise ValueError("a figure that is not finite")
        texts += (metric.kind, metric.dataset, metric.split, metric.task)
    for text in texts:
        check_text(text, LONGEST_TEXT)
