"""A zoo in; the fingerprints of all its rows out, of new ones only in memory where the zoo can't be written to."""

from typing import TYPE_CHECKING

from wembed.cli.output import Output

if TYPE_CHECKING:
    from wembed.catalog import Zoo
    from wembed.zoo.duplicates import ZooVectors

_ENCODER = "fingerprint"


def fingerprints(output: Output, zoo: "Zoo", store: str | None) -> "ZooVectors":
    """The fingerprints of a zoo, with a warning where they can't be kept.

    Raises:
        WembedError: the table of embeddings can't be read, or is another zoo's.
    """
    from wembed.cli.in_memory import embed_in_memory
    from wembed.store import UnwritableError
    from wembed.zoo import open_table
    from wembed.zoo.duplicates import ZooVectors, zoo_vectors
    from wembed.zoo.encoders import find_encoder

    try:
        with output.progress("embedding") as progress:
            return zoo_vectors(zoo, _ENCODER, store, progress)
    except UnwritableError as error:
        encoder = find_encoder(_ENCODER, zoo)
        table = open_table(zoo, encoder, store)
        found = embed_in_memory(output, zoo, zoo.rows(), encoder, table, error)
        by_id = {entry.id: entry.vector for entry in found.done if entry.vector is not None}
        return ZooVectors(by_id, found.failures)
