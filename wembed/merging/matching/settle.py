"""Two networks of one order in; the factors that bring the second's channels to the size and the sign of the first's.

The common scales settle what both networks know by themselves. What they leave open is settled by the pair: signs, the
dimensions of heads, gains of norms, and channels that carry next to nothing.
"""

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from wembed.merging.tensors import Tensors, acted
from wembed.symmetry import Action, SymmetrySpec, compose
from wembed.symmetry.action.cells import Cell
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.axes import atoms_of
from wembed.symmetry.spec import Layer, ScaleClass

Vector = NDArray[np.float64]
_SETTLED = 1e-12  # of a factor that is left alone
_WRITING = ("dense", "gain", "depthwise", "batch_norm")


def settle(
    first: Tensors, second: Tensors, spec: SymmetrySpec, settled: Collection[str], done: set[str]
) -> tuple[Action, Tensors]:
    """The scales and signs of the second network's sites, and that network with them.

    Args:
        first: a network.
        second: another, its neurons in the first one's order as far as they are settled.
        spec: of both.
        settled: the free atoms that are in order.
        done: the sites that have been dealt with; those that are now are added.
    """
    action, sides = Action({}, {}), Sides.of(spec)
    for site in _in_flow_order(spec):
        free = {atom for atom in atoms_of(spec.sites[site].axis) if not spec.atoms[atom].frozen}
        if site in done or not free <= set(settled) or spec.sites[site].dual or sides.scale(site) == "none":
            continue
        done.add(site)
        factors = _factors(first, second, sides, site, settled)
        if (np.abs(factors - 1.0) > _SETTLED).any():
            step = Action({}, {site: factors})
            action, second = compose(step, action, spec), acted(step, spec, second)
    return action, second


def _in_flow_order(spec: SymmetrySpec) -> list[str]:
    return list(dict.fromkeys(layer.target for layer in spec.layers))


def _factors(first: Tensors, second: Tensors, sides: Sides, site: str, settled: Collection[str]) -> Vector:
    """What the channels of a site of the second network are multiplied by; 1 where there is nothing to go by."""
    size = sides.spec.size_of(sides.spec.sites[site].axis)
    own, dual = sides.writers[site], [layer for name in sides.duals[site] for layer in sides.writers[name]]
    known = [layer for layer in own if _is_settled(sides.spec, layer, settled)]
    known_dual = [layer for layer in dual if _is_settled(sides.spec, layer, settled)]
    is_inverse = not known and bool(known_dual)
    product, squares = np.zeros(size), np.zeros((2, size))
    for layer in known or known_dual or own:
        for one, other in _rows(first, second, sides.spec, layer):
            product += (one * other).sum(1)
            squares += [np.square(one).sum(1), np.square(other).sum(1)]
    return _as_allowed(sides.scale(site), product, squares[::-1] if is_inverse else squares)


def _is_settled(spec: SymmetrySpec, layer: Layer, settled: Collection[str]) -> bool:
    """Whether all that a layer's tensors hold is in order."""
    atoms = {atom for name in layer.tensors.values() for axis in spec.tensors[name] for atom in atoms_of(axis)}
    return {atom for atom in atoms if not spec.atoms[atom].frozen} <= set(settled)


def _as_allowed(scale: ScaleClass, product: Vector, squares: Vector) -> Vector:
    """Factors from inner products [N] and squared lengths [2, N], as far as a class of factors goes."""
    known = (squares > 0).all(0) & (product != 0)
    sizes: Vector = np.sqrt(np.divide(squares[0], squares[1], out=np.ones(len(product)), where=known))
    signs: Vector = np.where(known & (product < 0), -1.0, 1.0)
    match scale:
        case "positive":
            return sizes
        case "sign":
            return signs
        case _:
            return np.asarray(sizes * signs)


def _rows(first: Tensors, second: Tensors, spec: SymmetrySpec, layer: Layer) -> Iterator[tuple[Vector, Vector]]:
    """What a layer writes a site with, channel by channel, [N, m] of both."""
    atoms = tuple(atoms_of(spec.sites[layer.target].axis))
    for role in (role for role in ("weight", "bias") if role in layer.tensors and layer.kind in _WRITING):
        cell = Cell.of(spec, layer, role)
        if any(cell.place(atom, "target") is None or cell.atoms.count(atom) > 1 for atom in atoms):
            continue  # what a recurrent weight reads has open signs, too
        places = cell.places(atoms, "target")
        rest = [axis for axis in range(len(cell.shape)) if axis not in places]
        one, other = (
            cell.take(tensors[layer.tensors[role]])
            .transpose([*places, *rest])
            .reshape(spec.size_of(spec.sites[layer.target].axis), -1)
            for tensors in (first, second)
        )
        yield one, other
