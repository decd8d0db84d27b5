"""A zoo and a table in; an error where the table, which is outside of the zoo, is another zoo's, out.

Two zoos may have the same ids for other networks, and what isn't in a zoo's catalog is deleted from its table: so each
zoo has a random id, which is made when it first needs one, and a table keeps whose it is.
"""

import json
import secrets
from contextlib import suppress
from pathlib import Path

from wembed.catalog import Zoo, absolute
from wembed.catalog.zoo import write_whole
from wembed.errors import WembedError
from wembed.store import EmbeddingTable, is_remote

FILE = "zoo.id"
NOTE = "wembed.zoo"
HINT = "give each zoo a --store of its own, or delete the table"


def is_outside(zoo: Zoo, table: EmbeddingTable) -> bool:
    """Whether a table could be shared with other zoos."""
    return is_remote(table.uri) or not absolute(Path(table.uri)).is_relative_to(absolute(zoo.root))


def check_owner(zoo: Zoo, table: EmbeddingTable) -> None:
    """Refuses a table that is known to be another zoo's.

    Raises:
        WembedError: naming both.
    """
    note = table.note(NOTE) if is_outside(zoo, table) else None
    if note:
        owner = json.loads(note)
        if owner["id"] != _identity(zoo):
            raise WembedError(f"{table.uri} holds embeddings of the zoo {owner['root']}, not of {_root(zoo)}", HINT)


def owner_note(zoo: Zoo, table: EmbeddingTable) -> dict[str, str]:
    """What a table keeps of whose it is: the zoo's id and, for people, where that zoo was when it was first used."""
    if not is_outside(zoo, table) or table.note(NOTE):
        return {}
    return {NOTE: json.dumps({"id": _identity(zoo), "root": _root(zoo)})}


def _identity(zoo: Zoo) -> str:
    """The zoo's random id; its folder where none can be kept."""
    path = zoo.root / FILE
    with suppress(OSError, WembedError):
        if not path.exists():
            with zoo.locked():
                if not path.exists():
                    write_whole(path, secrets.token_hex(8).encode() + b"\n")
        return path.read_text(encoding="utf-8").strip()
    return _root(zoo)


def _root(zoo: Zoo) -> str:
    return str(absolute(zoo.root))
