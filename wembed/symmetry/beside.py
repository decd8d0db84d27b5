"""Tensors of a file that its config's network does not have: what they might read or write stays where it is.

The network is only what a config says, and the file may be another's: one with more layers, a bias more, a head.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from wembed.symmetry.axes import Axis, axis_size, part_atoms, parts_of
from wembed.symmetry.inference.chains import Shapes
from wembed.symmetry.spec import SymmetrySpec

# Tables that older versions of transformers saved; they follow from the config.
_TABLES = re.compile(r"(^|\.)(rotary_emb\.inv_freq|position_ids|masked_bias|attn(\.attention)?\.bias)$")


def frozen_beside(spec: SymmetrySpec, shapes: Shapes) -> SymmetrySpec:
    """A spec that claims nothing along what is as long as an axis of some other tensors.

    Args:
        spec: of a network.
        shapes: name -> shape of the tensors that it does not have.
    """
    lengths = {length for name, shape in shapes.items() if not _TABLES.search(name) for length in shape} - {1}
    axes = {axis for tensor in spec.tensors.values() for axis in tensor} | {site.axis for site in spec.sites.values()}
    reached = {name for axis in axes for name in _reached(spec, axis, lengths)}
    if not reached:
        return spec
    why = "a tensor beside the network might be joined to it"
    atoms = {
        name: replace(atom, frozen=why) if name in reached and not atom.frozen else atom
        for name, atom in spec.atoms.items()
    }
    sites = {
        name: replace(site, fixed=True) if set(part_atoms(site.axis, ())) & reached else site
        for name, site in spec.sites.items()
    }
    return replace(spec, atoms=atoms, sites=sites)


def _reached(spec: SymmetrySpec, axis: Axis, lengths: set[int]) -> Iterator[str]:
    """The atoms of an axis, if it, a part of it, or some neighbours in one have one of the lengths."""
    for part in parts_of(axis):
        atoms = part_atoms(axis, part)
        if axis_size(axis, spec.sizes) in lengths:
            yield from atoms
        for first in range(len(atoms)):
            size = 1
            for last in range(first, len(atoms)):
                size *= spec.sizes[atoms[last]]
                if size in lengths:
                    yield from atoms[first : last + 1]
