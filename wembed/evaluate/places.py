"""Embeddings in; checkpoints on a plane out, for the map, each with what a reader of the map may ask about it.

Legend: N checkpoints of the map, D features.
"""

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, families
from wembed.evaluate.atlas import layers_of, nearest
from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Material
from wembed.evaluate.results import Layer, MapPoint, Neighbour

MOST = 5_000  # points, for which t-SNE takes under a minute
_PERPLEXITY = 30.0
_COMPONENTS = 50  # principal ones, which t-SNE starts from: its authors' advice
_LEAST = 4  # checkpoints that a map is worth drawing of

Place = tuple[float, float]


def map_points(material: Material, vectors: Vectors, most: int = MOST, seed: int = 0) -> list[MapPoint]:
    """The checkpoints of all splits, or a sample of them where they are too many, placed by t-SNE.

    Args:
        material: the zoo.
        vectors: of the encoder whose map it is; what has none is not on the map.
        most: how many points.
        seed: of the sample and the places.

    Returns:
        Points in the order of the zoo; none where fewer than four could be drawn.
    """
    known = np.flatnonzero(vectors.known)
    chosen = np.sort(np.random.default_rng([seed, 5]).permutation(known)[:most])
    if len(chosen) < _LEAST:
        return []
    values = vectors.values[chosen]
    plane = _plane(values, seed)
    neighbours = nearest([material.rows[place].id for place in chosen], values)
    leaders = {row.id: family[0].id for family in families(material.rows) for row in family}
    points = []
    for number, place in enumerate(chosen):
        row = material.rows[place]
        x, y = (float(value) for value in plane[number])
        split, layers = material.splits[row.id], layers_of(material.items[place])
        points.append(_point(row, (x, y), (leaders[row.id], split), neighbours[number], layers))
    return points


def _plane(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Places by t-SNE of the principal components, [N, 2]."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    components = min(_COMPONENTS, *values.shape)
    if values.shape[1] > components:
        solver = "arpack" if components < len(values) else "full"
        values = PCA(components, svd_solver=solver, random_state=seed).fit_transform(values)
    perplexity = min(_PERPLEXITY, (len(values) - 1) / 3)
    plane: NDArray[np.float64] = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(values)
    return plane


def _point(
    row: CatalogRow, place: Place, standing: tuple[str, str], neighbours: tuple[Neighbour, ...],
    layers: tuple[Layer, ...],
) -> MapPoint:  # fmt: skip
    family, split = standing
    return MapPoint(
        id=row.id, x=place[0], y=place[1], architecture=row.architecture or "", dataset=row.dataset or "",
        accuracy=row.accuracy, run=row.run or "", family=family, split=split, params=row.params, step=row.step,
        parent=row.parent or "", derivation=row.derivation or "", neighbours=neighbours, layers=layers,
    )  # fmt: skip
