"""Embeddings in; places on a plane out, for the map."""

import numpy as np

from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.material import Material
from wembed.evaluate.results import MapPoint

_PERPLEXITY = 30.0
_LEAST = 4  # checkpoints that a map is worth drawing of


def map_points(material: Material, vectors: Vectors, most: int, seed: int) -> list[MapPoint]:
    """Test checkpoints, and as many training ones as there is room for, placed by t-SNE.

    Args:
        material: the zoo.
        vectors: of the encoder whose map it is.
        most: how many points.
        seed: of the choice and the places.
    """
    from sklearn.manifold import TSNE

    known = vectors.known & ~np.isnan(material.accuracies)
    test, train = (np.flatnonzero(known & material.side(side)) for side in ("test", "train"))
    mixed = np.random.default_rng([seed, 5]).permutation(train)
    chosen = np.sort(np.concatenate([test, mixed])[:most])
    if len(chosen) < _LEAST:
        return []
    perplexity = min(_PERPLEXITY, (len(chosen) - 1) / 3)
    plane = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors.values[chosen])
    points = []
    for place, (x, y) in zip(chosen, plane, strict=True):
        row = material.rows[place]
        label = row.architecture or "", row.dataset or ""
        points.append(MapPoint(row.id, float(x), float(y), *label, float(row.accuracy or 0.0)))
    return points
