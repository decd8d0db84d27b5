"""Shard: one of several parts of a zoo, for several processes or machines to embed at once.

A checkpoint's part follows from its weights alone, so that every machine finds the same parts, and copies are together.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from wembed.catalog import CatalogRow
from wembed.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """One of several parts.

    Args:
        number: which, from 1.
        of: how many there are.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Reads the form 3/8.

        Raises:
            UsageError: if it is none.
        """
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        shard = cls(*map(int, match.groups())) if match else None
        if shard is None or not 1 <= shard.number <= shard.of:
            raise UsageError(f"--shard is {text!r}, expected the form 3/8", "the shards of 8 are 1/8 to 8/8")
        return shard

    def rows(self, rows: Iterable[CatalogRow]) -> list[CatalogRow]:
        """Gives those rows of a catalog that are in it."""
        return [row for row in rows if _place(row.content, self.of) == self.number - 1]


WHOLE = Shard(1, 1)


def _place(content: str, of: int) -> int:
    return int.from_bytes(hashlib.sha256(content.encode("utf-8", "replace")).digest()[:8]) % of
