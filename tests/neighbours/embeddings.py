"""Tables of made-up embeddings, and what a search of them must find, by numpy alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, Zoo
from wembed.encoder import save_encoder
from wembed.encoder.flat import Flat, FlatConfig
from wembed.store import EmbeddingTable, Key, Row, Value
from wembed.zoo import embed_zoo
from wembed.zoo.lazy_encoder import find_encoder_lazily

Vectors = NDArray[np.float32]

DIMENSION = 256
CLUSTERS = 2_000
ENCODER = "made-up"
PART = 50_000  # rows of one commit


def clustered(number: int, generator: np.random.Generator, dimension: int = DIMENSION) -> Vectors:
    """Unit vectors [N, D] in clusters of clusters, of unlike sizes and widths, as zoos have them."""
    families = generator.normal(size=(CLUSTERS // 20, dimension))
    centres = families[generator.integers(len(families), size=CLUSTERS)] + 0.7 * generator.normal(
        size=(CLUSTERS, dimension)
    )
    widths = generator.uniform(0.05, 0.8, size=CLUSTERS)
    sizes = generator.pareto(1.5, size=CLUSTERS) + 0.1
    which = generator.choice(CLUSTERS, size=number, p=sizes / sizes.sum())
    vectors = np.empty((number, dimension), np.float32)
    for start in range(0, number, PART):
        part = which[start : start + PART]
        drawn = centres[part] + widths[part, None] * generator.normal(size=(len(part), dimension))
        vectors[start : start + PART] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return vectors


def columns_of(place: int) -> dict[str, Value]:
    """What a made-up catalog says of a row."""
    return {
        "path": f"checkpoints/m{place}.safetensors",
        "architecture": f"net-{place % 7}",
        "structure": f"structure-{place % 5}",
        "dataset": "digits",
        "accuracy": place % 1000 / 1000,
        "params": place,
    }


def name_of(place: int) -> str:
    """The id of a made-up row."""
    return f"m{place:07d}"


def row_of(place: int) -> Row:
    """A made-up row."""
    return Row(name_of(place), Key(f"{place:064x}", "spec"), columns_of(place))


def filled_table(folder: Path, vectors: Vectors) -> EmbeddingTable:
    """A table with a row for each vector."""
    table = EmbeddingTable(str(folder), "made-up", vectors.shape[1])
    for start in range(0, len(vectors), PART):
        places = range(start, min(start + PART, len(vectors)))
        table.upsert({row_of(place): vectors[place] for place in places})
    return table


def by_brute_force(
    query: Vectors, vectors: Vectors, k: int, allowed: Sequence[int] | NDArray[np.intp]
) -> tuple[list[str], NDArray[np.float64]]:
    """Ids and cosines of the k nearest among some places, in float64; equal ones by id."""
    places = np.asarray(allowed)
    exact, wanted = vectors[places].astype(np.float64), query.astype(np.float64)
    cosines = exact @ wanted / np.linalg.norm(exact, axis=1) / np.linalg.norm(wanted)
    order = np.lexsort((places, -cosines))[:k]
    return [name_of(place) for place in places[order]], cosines[order]


def filled_zoo(root: Path, vectors: Vectors) -> EmbeddingTable:
    """A zoo whose catalog has a row for each vector, and the table of its one encoder, in line with the catalog."""
    zoo = Zoo.create(root)
    zoo.append(
        [
            CatalogRow(id=row.id, content=row.key.content, spec=row.key.spec, tags=[], **row.columns)
            for row in map(row_of, range(len(vectors)))
        ]
    )
    encoder = Flat(FlatConfig(structure="", inputs=8, hidden_dim=8, global_dim=vectors.shape[1]))
    save_encoder(encoder, root / "encoders" / ENCODER)
    known = find_encoder_lazily(ENCODER, zoo)  # keeps what it is called beside it
    table = EmbeddingTable(str(root / "embeddings"), known.id, known.dimension)
    for start in range(0, len(vectors), PART):
        places = range(start, min(start + PART, len(vectors)))
        table.upsert({row_of(place): vectors[place] for place in places})
    embed_zoo(zoo, known, table)
    return table
