"""Session: the zoo, the encoder and the table that `embed`, `search` and `predict` work with, and how they speak."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wembed.catalog import Zoo
from wembed.catalog.zoo import CATALOG
from wembed.cli.options import device_name, with_standard_input
from wembed.cli.output import Output
from wembed.encoder import Encoder
from wembed.errors import NotFoundError
from wembed.store import EmbeddingTable, Key, UnwritableError
from wembed.symmetry import load_spec
from wembed.zoo import EmbedResult, embed_given, embed_zoo, encoder_name, locate_all, open_table
from wembed.zoo.embed import is_current
from wembed.zoo.embed import with_vectors as add_vectors
from wembed.zoo.lazy_encoder import find_encoder_lazily

_TORN = 65_536  # bytes; a catalog that is larger has more in it than a line that a crash tore apart


@dataclass(frozen=True)
class SessionOptions:
    """The shared options of `embed` and `search`, see options.py."""

    zoo: Path
    encoder: str | None
    store: str | None
    device: str
    gpu: bool


@dataclass(frozen=True)
class Kept:
    """A zoo and the table of its embeddings."""

    zoo: Zoo
    table: EmbeddingTable


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
        if needs_zoo and zoo and _is_empty(zoo):
            hint = f"take checkpoints in with `wembed zoo add FOLDER --zoo {shlex.quote(str(zoo.root))}`"
            raise NotFoundError(f"the zoo at {zoo.root} is empty", hint)
        name = encoder_name(options.encoder, zoo)
        encoder = find_encoder_lazily(name, zoo, device)
        return cls(output, zoo, name, encoder, open_table(zoo, encoder, options.store))

    @property
    def kept(self) -> Kept:
        """The zoo and the table, in a session that has both."""
        if self.zoo is None or self.table is None:
            raise ValueError("this session has no zoo")
        return Kept(self.zoo, self.table)

    @property
    def is_current(self) -> bool:
        """Whether all of the zoo is embedded, as its catalog has it now; to be told without reading it."""
        return is_current(self.kept.zoo, self.kept.table)

    def embed_zoo(self, with_vectors: bool = False) -> EmbedResult:
        """Embeds all of the zoo that isn't embedded yet."""
        with self.output.progress("embedding") as progress:
            result = embed_zoo(self.kept.zoo, self.encoder, self.kept.table, progress)
        return add_vectors(result, self.kept.table) if with_vectors else result

    def embed(self, arguments: Sequence[str], spec: Path | None = None) -> EmbedResult:
        """Embeds the checkpoints that some arguments name, all with the symmetries of a spec file if there is one.

        Raises:
            WembedError: if there is but one and it can't be done.
        """
        result = self.embed_each(with_standard_input(arguments), spec)
        if len(result.failures) == 1 and not result.done:
            raise result.failures[0].error
        return result

    def embed_each(self, names: Sequence[str], spec: Path | None = None) -> EmbedResult:
        """Embeds checkpoints as `embed` does; what can't be done is a failure, even if it is all that was asked."""
        given = load_spec(spec) if spec else None
        located, failures = locate_all(names, self.zoo)
        with self.output.progress("embedding") as progress:
            result = embed_given(located, self.zoo, self.encoder, self.table, progress, given)
        for embedded in result.done:
            self.output.notices(embedded.id, embedded.notices)
        return EmbedResult(result.done, failures + result.failures)

    def catch_up(self) -> None:
        """Embeds what isn't embedded yet; what can't be is passed over with one warning.

        Raises:
            WembedError: if nothing is embedded yet and the table can't be written.
        """
        if self.is_current:
            return
        try:
            failures = self.embed_zoo().failures
        except UnwritableError as error:
            self._pass_over_new(error)
            return
        if failures:
            first = failures[0].error.message
            self.output.warn(f"{len(failures)} checkpoints of the zoo are passed over, first {first}")

    def _pass_over_new(self, error: UnwritableError) -> None:
        there = self.kept.table.keys()
        if not there:
            raise error
        lacking = sum(Key(row.content, row.spec) not in there for row in self.kept.zoo.rows())
        self.output.warn(f"{lacking} checkpoints of the zoo are not embedded and passed over: {error.message}")


def _is_empty(zoo: Zoo) -> bool:
    return (zoo.root / CATALOG).stat().st_size < _TORN and not zoo.rows()
