"""The upper baseline of retrieval: weight matching of every candidate, then the cosine of all weights.

It knows only networks of one structure, and looks at every pair.
"""

import math

import numpy as np

from wembed.encoder import Item
from wembed.merging.gauge import scale_action
from wembed.merging.matching.search import compared, match
from wembed.merging.tensors import Tensors, acted, tensors_of
from wembed.symmetry import SymmetrySpec


def in_common_scales(item: Item) -> Tensors:
    """The tensors of a network in the gauge in which networks are compared."""
    checkpoint, spec = item
    return acted(scale_action(checkpoint, spec), spec, tensors_of(checkpoint, spec))


def aligned_cosine(first: Tensors, second: Tensors, spec: SymmetrySpec, generator: np.random.Generator) -> float:
    """The cosine of two networks after the second's neurons are brought into the order of the first's.

    Args:
        first: in common scales.
        second: in common scales.
        spec: of both.
        generator: draws the starts of the matching.
    """
    moved = acted(match(first, second, spec, generator), spec, second)
    names = compared(spec)
    inner, own, other = (
        sum(float(np.vdot(one[name], two[name])) for name in names)
        for one, two in ((first, moved), (first, first), (moved, moved))
    )
    return inner / math.sqrt(own * other) if own and other else 0.0
