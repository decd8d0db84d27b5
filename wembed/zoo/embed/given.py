"""Located checkpoints in; an embedding of each out, whether it is in a zoo or not."""

from collections.abc import Mapping, Sequence
from functools import partial

from wembed.catalog import Located, Zoo
from wembed.encoder import Encoder
from wembed.store import EmbeddingTable, Key
from wembed.symmetry import SymmetrySpec
from wembed.zoo.embed.opened import open_located
from wembed.zoo.embed.owner import check_owner
from wembed.zoo.embed.results import EmbedResult, Vector
from wembed.zoo.embed.run import Job, Run
from wembed.zoo.progress import Progress, silent


def embed_given(
    checkpoints: Sequence[Located],
    zoo: Zoo | None,
    encoder: Encoder,
    table: EmbeddingTable | None,
    progress: Progress = silent,
    given: SymmetrySpec | None = None,
) -> EmbedResult:
    """Embeds given checkpoints; every vector is in the result.

    What is in the table isn't computed again, and what is in the zoo is put into the table.

    Args:
        checkpoints: what to embed.
        zoo: whose specs to know, if any.
        encoder: with what.
        table: of embeddings, if there is one.
        progress: told after every checkpoint.
        given: the symmetries of all of them, instead of what each would get.

    Raises:
        WembedError: if the table can't be written, or is another zoo's.
    """

    def known(keys: Sequence[Key]) -> Mapping[Key, Vector]:
        return table.fetch(keys) if table is not None else {}

    if zoo is not None and table is not None:
        check_owner(zoo, table)
    run = Run(encoder, table, None, progress, len(checkpoints))
    jobs = [
        Job(place, located.argument, partial(open_located, zoo, located, given))
        for place, located in enumerate(checkpoints)
    ]
    run.embed(jobs, known)
    return run.result()
