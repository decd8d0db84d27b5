"""Two networks in; whether they are one function up to symmetry and rounding, weight by weight, out.

Either they agree as they stand in their files, or their canonical views do: scales, signs and what heads may mix are
gone there, the order of the nodes is matched. Rounding moves an entry by a share of itself, whereas training and noise
move small entries as much as large ones; so entries are compared one by one. In heads and low ranks rounding turns
nearly equal singular vectors into each other: there the products over the head are compared, which do not turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.encoder import Item
from wembed.graph import Block, WeightGraph, build_graph
from wembed.kinship.nodes import Codes, Nodes, codes_of, match_nodes
from wembed.kinship.rounding import ROUNDINGS, ROUNDOFF, agree, precision, rounding
from wembed.kinship.shared import apart_beside, are_of_one_structure
from wembed.symmetry import SymmetrySpec
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.stacks import read_tensor

LARGEST = 50_000_000  # parameters of a network whose view is built: .2 s and 40 MB for each million

_LEAST = 2e-5  # relative difference that is none: what float32 leaves after a long chain of factors
_FLOOR = 0.01  # of a tensor's root mean square: entries below it are compared as if they were so large
_BIAS_FLOOR = 0.1  # of the weights that a bias stands beside: in front of a norm large parts of it may cancel
_TURNING = ("linear", "rotary")  # classes of sites whose channels are mixed freely
_PRODUCTS = 16  # random combinations of a head's products that are compared
_PRODUCT_ROUNDINGS = 4.0  # as often is a product's relative error that of a weight

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Network:
    """A network that is to be compared with others of its structure.

    Args:
        item: the checkpoint and its symmetries.
    """

    item: Item

    @cached_property
    def graph(self) -> WeightGraph:
        """Its weight graph."""
        return build_graph(*self.item)

    @cached_property
    def codes(self) -> Codes:
        """Those of its nodes."""
        return codes_of(self.graph)

    @cached_property
    def precision(self) -> str:
        """The format that its weights were rounded to, a key of ROUNDOFF."""
        return precision(self.item[0])


def are_same(first: Network, second: Network) -> bool:
    """Whether two networks are the same up to symmetry and the rounding of the coarser one.

    Those that are too large to be matched are the same only where they agree as they are stored.
    """
    checkpoints, spec = (first.item[0], second.item[0]), first.item[1]
    if not are_of_one_structure(first.item, second.item) or apart_beside(checkpoints, spec):
        return False
    if agree_as_stored(first, second):
        return True
    return checkpoints[0].parameters <= LARGEST and _views_agree(first, second)


def agree_as_stored(first: Network, second: Network) -> bool:
    """Whether two networks of one structure agree tensor by tensor as their files have them, within rounding."""
    (one, spec), (other, _) = first.item, second.item
    roundoff = rounding((one, other), spec)
    return all(agree(_read(one, spec, name), _read(other, spec, name), roundoff(name)) for name in spec.tensors)


def _read(checkpoint: Checkpoint, spec: SymmetrySpec, name: str) -> NDArray[np.floating]:
    values = read_tensor(checkpoint, spec, name)
    return np.asarray(values, dtype=values.dtype)


def _views_agree(first: Network, second: Network) -> bool:
    roundoff = max(ROUNDOFF[network.precision] for network in (first, second))
    tolerance = max(ROUNDINGS * roundoff, _LEAST)
    nodes = match_nodes(first.graph, second.graph, (first.codes, second.codes))
    turning = _turning_blocks(first.item[1])
    blocks = zip(first.graph.blocks, second.graph.blocks, strict=True)
    return all(_blocks_agree(one, other, nodes, turning, tolerance) for one, other in blocks) and all(
        _agree(values, moved, np.abs(values) + _rms(values), tolerance)
        for values, moved in _vectors(first.graph, second.graph, nodes)
    )


def _blocks_agree(one: Block, other: Block, nodes: Nodes, turning: dict[str, int], tolerance: float) -> bool:
    weight, moved = one.weight(), nodes.weight(other)
    if one.name in turning:
        axis = turning[one.name]
        return _products_agree(np.moveaxis(weight, axis, 0), np.moveaxis(moved, axis, 0), tolerance)
    bias = other.bias[nodes.order[other.target]] * nodes.signs[other.target]
    rows = np.linalg.norm(weight.reshape(len(weight), -1), axis=1)
    sizes = one.bias_size + _BIAS_FLOOR * np.maximum(rows, _rms(rows))
    return _agree(weight, moved, np.abs(weight) + _FLOOR * _rms(weight), tolerance) and _agree(
        one.bias, bias, sizes, tolerance
    )


def _products_agree(weight: Vector, moved: Vector, tolerance: float) -> bool:
    """Whether what heads make of their inputs, or give to their readers, has the same products; head first."""
    flat, other = weight.reshape(len(weight), -1), moved.reshape(len(moved), -1)
    random = np.random.default_rng(flat.shape[1]).standard_normal((flat.shape[1], _PRODUCTS))
    product, found = flat.T @ (flat @ random), other.T @ (other @ random)
    return float(np.linalg.norm(product - found)) <= _PRODUCT_ROUNDINGS * tolerance * float(np.linalg.norm(product))


def _vectors(first: WeightGraph, second: WeightGraph, nodes: Nodes) -> Iterator[tuple[Vector, Vector]]:
    """The vectors that are no biases, which blocks have."""
    for name, group in first.groups.items():
        for role, values in group.vectors.items():
            if role != "bias" and values.size:
                yield values, nodes.vector(name, role, second.groups[name].vectors[role])


def _turning_blocks(spec: SymmetrySpec) -> dict[str, int]:
    """Layer -> the axis, 0 for targets and 1 for sources, along which its weight is known up to turns only."""
    sides, found = Sides.of(spec), {}
    for layer in spec.layers:
        for axis, site in enumerate((layer.target, layer.source)):
            if site in spec.sites and sides.scale(site) in _TURNING:
                found[layer.name] = axis
    return found


def _agree(values: Vector, moved: Vector, sizes: Vector, tolerance: float) -> bool:
    return bool((np.abs(values - moved) <= tolerance * sizes).all())


def _rms(values: Vector) -> float:
    return float(np.sqrt(np.square(values).mean())) if values.size else 0.0
