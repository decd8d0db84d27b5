"""Run: checkpoints to be opened in; their embeddings, written a chunk at a time, and the failures out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wembed.catalog import Zoo
from wembed.encoder import Encoder
from wembed.errors import WembedError
from wembed.store import EmbeddingTable, Key
from wembed.zoo.embed import chunks
from wembed.zoo.embed.opened import Opened, with_tensors
from wembed.zoo.embed.results import Embedded, EmbedResult, Vector
from wembed.zoo.embed.vectors import Made, make_vectors
from wembed.zoo.failure import Failure
from wembed.zoo.progress import Progress
from wembed.zoo.read import as_failure


@dataclass(frozen=True)
class Job:
    """A checkpoint that is to be embedded.

    Args:
        place: where it stands among all that were asked for.
        name: what a failure calls it.
        open: opens it.
    """

    place: int
    name: str
    open: Callable[[], Opened]


@dataclass(frozen=True)
class Ready:
    """A job that has been opened."""

    job: Job
    opened: Opened

    @property
    def parameters(self) -> int:
        """How many its checkpoint has."""
        return self.opened.checkpoint.parameters


@dataclass
class Run:
    """The embedding of some checkpoints.

    Args:
        encoder: with what.
        table: where to, if anywhere.
        zoo: whose rows are renewed, if there is one.
        progress: told after every checkpoint.
        total: how many were asked for.
        done: by place.
        failures: by place.
        stored: the keys of what was put into the table.
    """

    encoder: Encoder
    table: EmbeddingTable | None
    zoo: Zoo | None
    progress: Progress
    total: int
    done: dict[int, Embedded] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    stored: set[Key] = field(default_factory=set)

    def result(self) -> EmbedResult:
        """What became of all, in the order asked."""
        return EmbedResult(
            [entry for _, entry in sorted(self.done.items())], [entry for _, entry in sorted(self.failures.items())]
        )

    def skip(self, place: int, embedded: Embedded) -> None:
        """Takes in what is embedded already."""
        self.done[place] = embedded
        self._tell()

    def embed(self, jobs: Iterable[Job], known: Callable[[Sequence[Key]], Mapping[Key, Vector]]) -> None:
        """Opens checkpoints ahead and embeds them chunk by chunk, those of one structure together.

        Args:
            jobs: what to embed.
            known: gives the vectors [D] of those keys that need not be computed.

        Raises:
            WembedError: the table or the catalog can't be written.
        """
        for reach in chunks.within(chunks.REACH, self._opened(jobs)):
            alike = chunks.alike_together(reach, lambda ready: ready.opened.structure)
            for chunk in chunks.within(chunks.CHUNK, alike):
                self._embed_chunk(chunk, known([ready.opened.key for ready in chunk]))

    def _opened(self, jobs: Iterable[Job]) -> Iterator[Ready]:
        for job in jobs:
            try:
                yield Ready(job, job.open())
            except WembedError as error:
                self._fail(job, error)
            except OSError as error:
                self._fail(job, as_failure(job.name, error))

    def _embed_chunk(self, chunk: Sequence[Ready], known: Mapping[Key, Vector]) -> None:
        new = [ready for ready in chunk if ready.opened.key not in known]
        made = dict(zip([ready.job.place for ready in new], self._make(new), strict=True))
        self._write([(ready.opened, made[ready.job.place]) for ready in new])
        for ready in chunk:
            there = known.get(ready.opened.key)
            self._take(ready, Made(there, 0.0) if there is not None else made[ready.job.place], there is not None)

    def _make(self, new: Sequence[Ready]) -> list[Made]:
        return make_vectors(self.encoder, [ready.opened for ready in new])

    def _write(self, made: Sequence[tuple[Opened, Made]]) -> None:
        """One commit to the table and, where rows are out of date, one to the catalog."""
        good = [(opened, vector) for opened, (vector, _) in made if not isinstance(vector, WembedError)]
        if self.table is not None:
            vectors = {row: vector for opened, vector in good for row in with_tensors(opened)}
            self.table.upsert(vectors)
            self.stored |= {row.key for row in vectors}
        renewed = [opened.renewed for opened, _ in good if opened.renewed]
        if self.zoo and renewed:
            self.zoo.append(renewed)

    def _take(self, ready: Ready, made: Made, skipped: bool) -> None:
        if isinstance(made.vector, WembedError):
            self._fail(ready.job, made.vector)
            return
        opened = ready.opened
        seconds, notices = opened.seconds + made.seconds, opened.checkpoint.notices
        self.done[ready.job.place] = Embedded(
            opened.id,
            ready.parameters,
            seconds,
            skipped,
            made.vector,
            notices,
            opened.structure,
            opened.key.content,
        )
        self._tell()

    def _fail(self, job: Job, error: WembedError) -> None:
        self.failures[job.place] = Failure(job.name, error)
        self._tell()

    def _tell(self) -> None:
        self.progress(len(self.done) + len(self.failures), self.total)
