"""Two weight graphs of one structure in; which node of the second is which of the first, and its sign, out.

Nodes get codes that no reordering and no sign changes: those of ordered axes a random one for each place, all others
what random weights make of their neighbours' codes. Equal networks have equal codes; which node is which can then be
read off, with no search.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from wembed.graph import Block, WeightGraph

_CODE = 24  # numbers of a code
_SWEEPS = 2  # there and back through the network
_WIDEST = 4096  # nodes that are assigned where codes alone leave it open
_TINY = 1e-300
_EVEN = ("slope",)  # roles of vectors that no sign changes

Vector = NDArray[np.float64]
Codes = Mapping[str, Vector]  # group -> [N, _CODE]


@dataclass(frozen=True)
class Nodes:
    """The nodes of a second network in the first one's order.

    Args:
        order: group -> [N], the second one's node at the place of each of the first one's.
        signs: group -> [N], what to multiply it by.
    """

    order: Mapping[str, NDArray[np.intp]]
    signs: Mapping[str, Vector]

    def weight(self, block: Block) -> Vector:
        """A weight of the second network as the first has it, [T, S, taps]."""
        weight = block.weight()[self.order[block.target]][:, self.order[block.source]]
        return np.asarray(weight * self.signs[block.target][:, None, None] * self.signs[block.source][None, :, None])

    def vector(self, group: str, role: str, values: Vector) -> Vector:
        """A vector of the second network as the first has it, [N]."""
        moved = values[self.order[group]]
        return moved if role in _EVEN else moved * self.signs[group]


def codes_of(graph: WeightGraph) -> Codes:
    """A code for every node."""
    codes = {name: _start(graph, name, number) for number, name in enumerate(sorted(graph.groups))}
    blocks = list(enumerate(graph.blocks))
    for _ in range(_SWEEPS):
        for number, block in blocks:
            _pass_on(graph, codes, block, number, to_target=True)
        for number, block in reversed(blocks):
            _pass_on(graph, codes, block, number, to_target=False)
    return codes


def match_nodes(first: WeightGraph, second: WeightGraph, codes: tuple[Codes, Codes]) -> Nodes:
    """Which node is which, by the codes of both."""
    order = {}
    for name, group in first.groups.items():
        order[name] = np.arange(group.size) if group.ordered else _matched(codes[0][name], codes[1][name])
    return Nodes(order, _signs(first, second, order))


def _start(graph: WeightGraph, name: str, number: int) -> Vector:
    group = graph.groups[name]
    random = np.random.default_rng([group.size, number])
    if group.ordered:
        return random.standard_normal((group.size, _CODE))
    code = np.zeros((group.size, _CODE))
    for role, values in sorted(group.vectors.items()):
        seen = np.abs(values) if group.signed and role not in _EVEN else values
        code += np.outer(seen / _size(seen), random.standard_normal(_CODE))
    return code


def _pass_on(graph: WeightGraph, codes: dict[str, Vector], block: Block, number: int, to_target: bool) -> None:
    """Add what one end of a block says to the codes of the other."""
    giver, taker = (block.source, block.target) if to_target else (block.target, block.source)
    if graph.groups[taker].ordered:
        return
    weight = block.weight()  # [T, S, taps]
    if graph.groups[giver].signed or graph.groups[taker].signed:
        weight = np.abs(weight)
    weight = weight if to_target else weight.transpose(1, 0, 2)
    random = np.random.default_rng([number, int(to_target)])
    mixed = random.standard_normal((weight.shape[2], _CODE, _CODE)) / np.sqrt(_CODE)
    said = np.einsum("tsk,sc,kcd->td", weight, codes[giver], mixed, optimize=True)
    codes[taker] = np.tanh(codes[taker] + said / _size(said))


def _matched(first: Vector, second: Vector) -> NDArray[np.intp]:
    nearest = np.asarray(cKDTree(second).query(first)[1], dtype=np.intp)
    if len(np.unique(nearest)) == len(nearest) or len(nearest) > _WIDEST:
        return nearest
    return np.asarray(linear_sum_assignment(cdist(first, second))[1], dtype=np.intp)


def _signs(first: WeightGraph, second: WeightGraph, order: Mapping[str, NDArray[np.intp]]) -> dict[str, Vector]:
    """The signs that make the second network's weights those of the first, from what has no sign of its own on."""
    signed = {name for name, group in first.groups.items() if group.signed}
    signs = {name: np.full(group.size, 0.0 if name in signed else 1.0) for name, group in first.groups.items()}
    fixed = {name: _agreement_of_vectors(first, second, order, name) for name in signed}
    products = _products(first, second, order, signed)
    while signed and any((signs[name] == 0).any() for name in signed):
        before = sum(int((signs[name] == 0).sum()) for name in signed)
        for name in signed:
            votes = fixed[name].copy()
            for target, source, product in products:
                votes += product @ signs[source] if target == name else 0.0
                votes += product.T @ signs[target] if source == name else 0.0
            signs[name] = np.where(signs[name] == 0, np.sign(votes), signs[name])
        if before == sum(int((signs[name] == 0).sum()) for name in signed):
            open_ones = next(name for name in signed if (signs[name] == 0).any())
            signs[open_ones][np.flatnonzero(signs[open_ones] == 0)[0]] = 1.0  # nothing says which: either will do
    return signs


def _agreement_of_vectors(
    first: WeightGraph, second: WeightGraph, order: Mapping[str, NDArray[np.intp]], name: str
) -> Vector:
    own, other = first.groups[name], second.groups[name]
    products = [
        values * other.vectors[role][order[name]]
        for role, values in own.vectors.items()
        if role not in _EVEN and role in other.vectors
    ]
    return np.sum(products, 0) if products else np.zeros(own.size)


def _products(
    first: WeightGraph, second: WeightGraph, order: Mapping[str, NDArray[np.intp]], signed: set[str]
) -> list[tuple[str, str, Vector]]:
    """Target, source, and how the two networks' weights agree there, [T, S]; of blocks that a sign changes."""
    found = []
    for one, other in zip(first.blocks, second.blocks, strict=True):
        if one.target in signed or one.source in signed:
            moved = other.weight()[order[one.target]][:, order[one.source]]
            found.append((one.target, one.source, np.einsum("tsk,tsk->ts", one.weight(), moved)))
    return found


def _size(values: Vector) -> float:
    return float(np.sqrt(np.square(values).mean())) or 1.0 if values.size else 1.0
