"""One layout for all weights: a layer's cell in, its values as targets x sources x taps out."""

from collections.abc import Iterator
from string import ascii_letters

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.action.cells import Cell, Side, multiplied
from wembed.symmetry.action.channels import Channels
from wembed.symmetry.spec import SymmetrySpec

Vector = NDArray[np.float64]


def mixed_along(weight: Vector, channels: Channels, matrices: Vector, axis: int) -> Vector:
    """A weight [T, S, K] whose targets (axis 0) or sources (axis 1) are mixed."""
    before, behind = weight.shape[:axis], weight.shape[axis + 1 :]
    parted = weight.reshape(*before, *channels.shape, *behind)
    mixed = multiplied(parted, matrices, tuple(axis + place for place in channels.own))
    return np.ascontiguousarray(mixed).reshape(weight.shape)


def _place(cell: Cell, channels: Channels, number: int, side: Side) -> int | None:
    """Where an atom of a site's channels stands in a cell; one that is not the site's own on its own side only."""
    place = cell.place(channels.atoms[number], side)
    if place is not None and number not in channels.own and cell.roles[place] != side:
        return None
    return place


def taps_of(spec: SymmetrySpec, cell: Cell, rows: Channels, columns: Channels) -> tuple[str, ...]:
    """The atoms that make up a weight's taps: what a flatten put beside the source, then the kernel's."""
    used = {_place(cell, rows, number, "target") for number in range(len(rows.atoms))}
    used |= {_place(cell, columns, number, "source") for number in range(len(columns.atoms))}
    found: dict[bool, list[str]] = {False: [], True: []}
    for number, (atom, role) in enumerate(zip(cell.atoms, cell.roles, strict=True)):
        is_grid = role == "tap" or spec.atoms[atom].kind == "spatial"
        if number not in used and (is_grid or spec.sizes[atom] > 1):
            found[role == "tap"].append(atom)
    return (*found[False], *found[True])


def laid(
    cell: Cell, values: NDArray[np.generic], rows: Channels, columns: Channels | None, taps: tuple[str, ...]
) -> Vector:
    """A cell's values as [T, S, K] in float64; what stands on both sides (groups) makes blocks on the diagonal.

    Targets that the cell has fewer of than the site are repeated; so are sources, divided by how often.
    """
    missing: list[tuple[int, Side]] = []  # sizes of what the cell lacks
    labels: list[int] = []
    for channels, side in _sides(rows, columns):
        for number, size in enumerate(channels.shape):
            place = _place(cell, channels, number, side)
            if place is None:
                place = len(cell.atoms) + len(missing)
                missing.append((size, side))
            labels.append(place)
    labels += [number for number, atom in enumerate(cell.atoms) if number not in labels and atom in taps]
    sizes = [*cell.shape, *(size for size, _ in missing)]
    kept = [number for number in range(len(cell.atoms)) if number in labels]
    out = np.zeros([sizes[label] for label in labels])
    added = range(len(cell.atoms), len(sizes))
    names = ["".join(ascii_letters[label] for label in row) for row in (labels, [*added, *kept])]
    into = np.einsum("->".join(names), out)  # a view
    into[...] = values.reshape([cell.shape[number] for number in kept])
    out /= np.prod([size for size, side in missing if side == "source"])
    return out.reshape(rows.size, columns.size if columns else 1, -1)


def _sides(rows: Channels, columns: Channels | None) -> Iterator[tuple[Channels, Side]]:
    yield rows, "target"
    if columns:
        yield columns, "source"
