"""Session: the zoo, the encoder and the table that `embed` and `search` work with, and how they speak meanwhile."""

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wembed.catalog import Zoo
from wembed.cli.options import device_name, with_standard_input
from wembed.cli.output import Output
from wembed.encoder import Encoder
from wembed.errors import NotFoundError
from wembed.neighbours import search
from wembed.store import EmbeddingTable, Key
from wembed.symmetry import load_spec
from wembed.zoo import Embedded, EmbedResult, embed_given, embed_zoo, encoder_name, find_encoder, locate_all, open_table


@dataclass(frozen=True)
class SessionOptions:
    """The shared options of `embed` and `search`, see options.py."""

    zoo: Path
    encoder: str | None
    store: str | None
    device: str
    gpu: bool


@dataclass
class Session:
    """What one call of `embed` or `search` works with.

    Args:
        output: how to speak.
        zoo: None where none is needed and none is there.
        name: of the encoder, as one asks for it.
        encoder: what embeds.
        table: what it has embedded; None where there is no place for it.
    """

    output: Output
    zoo: Zoo | None
    name: str
    encoder: Encoder
    table: EmbeddingTable | None

    @classmethod
    def start(cls, output: Output, options: "SessionOptions", needs_zoo: bool) -> "Session":
        """Opens what a call needs.

        Raises:
            NotFoundError: if there is no such encoder, or no zoo, or an empty one, where one is needed.
            WembedError: if the device is not there.
        """
        device = device_name(options.device, options.gpu)
        zoo = Zoo.open(options.zoo) if needs_zoo or Zoo.is_zoo(options.zoo) else None
        if needs_zoo and zoo and not zoo.rows():
            hint = f"take checkpoints in with `wembed zoo add FOLDER --zoo {shlex.quote(str(zoo.root))}`"
            raise NotFoundError(f"the zoo at {zoo.root} is empty", hint)
        name = encoder_name(options.encoder, zoo)
        encoder = find_encoder(name, zoo, device)
        return cls(output, zoo, name, encoder, open_table(zoo, encoder, options.store))

    def embed_zoo(self, with_vectors: bool = False) -> EmbedResult:
        """Embeds all of the zoo that isn't embedded yet."""
        zoo, table = self._kept()
        with self.output.progress("embedding") as progress:
            result = embed_zoo(zoo, self.encoder, table, progress)
        return EmbedResult(_with_vectors(zoo, table, result.done), result.failures) if with_vectors else result

    def embed(self, arguments: Sequence[str], spec: Path | None = None) -> EmbedResult:
        """Embeds the checkpoints that some arguments name, all with the symmetries of a spec file if there is one.

        Raises:
            WembedError: if there is but one and it can't be done.
        """
        given = load_spec(spec) if spec else None
        located, failures = locate_all(with_standard_input(arguments), self.zoo)
        with self.output.progress("embedding") as progress:
            result = embed_given(located, self.zoo, self.encoder, self.table, progress, given)
        failures += result.failures
        if len(failures) == 1 and not result.done:
            raise failures[0].error
        for embedded in result.done:
            self.output.notices(embedded.id, embedded.notices)
        return EmbedResult(result.done, failures)

    def catch_up(self) -> None:
        """Embeds what isn't embedded yet; what can't be is passed over with one warning."""
        failures = self.embed_zoo().failures
        if failures:
            first = failures[0].error.message
            self.output.warn(f"{len(failures)} checkpoints of the zoo are passed over, first {first}")

    def neighbours(self, query: Embedded, k: int) -> list[dict[str, object]]:
        """Gives the rows nearest to an embedded checkpoint, with paths that can be opened from here."""
        zoo, table = self._kept()
        rows = zoo.rows()
        paths = {row.id: zoo.path_of(row) for row in rows}
        if query.vector is None:
            raise ValueError(f"{query.id} has no vector")
        found = search(query.vector, table, rows, k, self.name)
        return [vars(neighbour) | {"path": paths[neighbour.id], "query": query.id} for neighbour in found]

    def _kept(self) -> "_Kept":
        if self.zoo is None or self.table is None:
            raise ValueError("this session has no zoo")
        return _Kept(self.zoo, self.table)


class _Kept(NamedTuple):
    zoo: Zoo
    table: EmbeddingTable


def _with_vectors(zoo: Zoo, table: EmbeddingTable, done: Sequence[Embedded]) -> list[Embedded]:
    keys = {row.id: Key(row.content, row.spec) for row in zoo.rows()}
    vectors = table.fetch(list(keys.values()))
    return [dataclasses.replace(entry, vector=vectors[keys[entry.id]]) for entry in done]
