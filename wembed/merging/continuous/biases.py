"""Biases inside heads: a spec in; what takes values' and keys' biases out of the way and gives them back out.

Attention weights add up to one, so that a bias of values may stand behind them as well; a bias of keys adds the same to
all scores of a query, which a softmax does not see.
"""

import numpy as np
from numpy.typing import NDArray

from wembed.merging.continuous.blocks import cells_beside
from wembed.merging.tensors import Tensors, acted
from wembed.symmetry import Action, SymmetrySpec
from wembed.symmetry.action.sides import Sides


def without_biases(tensors: Tensors, spec: SymmetrySpec) -> Tensors:
    """The same function without biases of keys, and with those of values in what reads them, where that can be."""
    return acted(Action({}, {}, shifts={site: -bias for site, bias in _biases(tensors, spec).items()}), spec, tensors)


def with_biases_of(tensors: Tensors, spec: SymmetrySpec, like: Tensors) -> Tensors:
    """The same function with such biases of another network, of tensors that have none of their own."""
    return acted(Action({}, {}, shifts=_biases(like, spec)), spec, tensors)


def _biases(tensors: Tensors, spec: SymmetrySpec) -> dict[str, NDArray[np.float64]]:
    """Site -> its whole bias [N]."""
    sides = Sides.of(spec)
    found = {}
    for site in filter(sides.can_shift, spec.sites):
        layer = next(layer for layer in sides.writers[site] if "bias" in layer.tensors)
        _, bias = cells_beside(spec, [layer], site, "target")
        found[site] = bias.blocks(tensors).reshape(-1)
    return found
