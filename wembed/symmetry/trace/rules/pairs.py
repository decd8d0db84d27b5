"""Two values entry by entry, broadcast to each other: sums join their factors, products keep those of one side."""

from torch.fx import Node

from wembed.symmetry.axes import part_atoms
from wembed.symmetry.trace.carried import UNIT, Axes, Carried, Cell, cells_of
from wembed.symmetry.trace.flow import Flow
from wembed.symmetry.trace.sites import ZERO, Ref


def summed(flow: Flow, node: Node, x: Carried, y: Carried) -> Carried:
    """Entries added: both sides take the same factors."""
    axes = flow.axes(node)
    refs: dict[Cell, Ref] = {}
    for cell in cells_of(axes):
        left, right = broadcast(x, axes, cell), broadcast(y, axes, cell)
        if left is not None and right is not None:
            refs[cell] = flow.sites.join(left, right)
        elif left is not None or right is not None:
            refs[cell] = left if left is not None else right  # type: ignore[assignment]
            if refs[cell] == ZERO:
                del refs[cell]
            else:
                flow.sites.limit(refs[cell], "none")
    return Carried(axes, refs)


def broadcast(value: Carried, axes: Axes, cell: Cell) -> Ref | None:
    """The site of a value in a cell of what it is broadcast to."""
    added = len(axes) - len(value.axes)
    inner = tuple(() if axis == UNIT else part for axis, part in zip(value.axes, cell[added:], strict=True))
    return value.refs.get(inner)


def multiplied(flow: Flow, node: Node, x: Carried, y: Carried) -> Carried:
    """Entries multiplied: at most one side may bring factors, and matrices no longer pass."""
    axes = flow.axes(node)
    refs: dict[Cell, Ref] = {}
    for cell in cells_of(axes):
        left, right = broadcast(x, axes, cell), broadcast(y, axes, cell)
        if ZERO in (left, right):
            refs[cell] = ZERO
        elif left is not None or right is not None:
            refs[cell] = _stronger(flow, left, right)
            other = y if refs[cell] == left else x
            _mixes_no_more(flow, refs[cell], other, axes, cell)
    return Carried(axes, refs)


def _stronger(flow: Flow, left: Ref | None, right: Ref | None) -> Ref:
    """The factor whose scale survives; the other's is given up."""
    if left is None or right is None:
        return left if left is not None else right  # type: ignore[return-value]
    sites = flow.sites
    weak_left = sites.scale(left) == "none" or (sites.scale(right) != "none" and bool(sites.passes(left)))
    kept, lost = (right, left) if weak_left else (left, right)
    sites.limit(lost, "none")
    return kept


def _mixes_no_more(flow: Flow, ref: Ref, other: Carried, axes: Axes, cell: Cell) -> None:
    """What is multiplied by something of its own at each place keeps no bias; at each channel, no matrices either."""
    flow.sites.skew(ref)
    added = len(axes) - len(other.axes)
    atoms = {
        atom
        for axis, part in zip(other.axes, cell[added:], strict=True)
        if axis != UNIT
        for atom in part_atoms(axis, part)
    }
    if ref != ZERO and flow.sites.atoms(ref) and flow.sites.atoms(ref)[-1] in atoms:
        flow.sites.limit(ref, "real")
