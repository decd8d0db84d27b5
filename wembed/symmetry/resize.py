"""Width templating: the sizes of a spec's atoms, solved from a checkpoint's shapes, and the spec at those sizes.

An atom that stands alone on an axis has the axis' size; a product's last unknown factor comes by division, a sum's by
subtraction. What shapes cannot tell (how many heads) has to be known before.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from wembed.errors import CheckpointRefusedError
from wembed.symmetry.axes import Axis, Product, Sum, atoms_of, axis_size, axis_text
from wembed.symmetry.inference.chains import Shapes
from wembed.symmetry.repeat import renamed_axis
from wembed.symmetry.spec import Atom, Site, SymmetrySpec

UNIT = Atom("unit", 1, "hidden", "one index")  # what every axis of size 1 lies along

Tensors = Mapping[str, tuple[Axis, ...]]
Sizes = Mapping[str, int]


def solved_sizes(tensors: Tensors, shapes: Shapes, known: Sizes) -> dict[str, int]:
    """The sizes of the atoms that some tensors' axes are made of, as far as their shapes tell.

    Args:
        tensors: tensor name -> its axes.
        shapes: at least those tensors' shapes.
        known: sizes that are known before, such as head counts.

    Raises:
        CheckpointRefusedError: where a shape and the rest do not go together, naming the tensor.
    """
    sizes = {**known, UNIT.name: 1}
    open_tensors, count = dict(tensors), -1
    while len(sizes) != count:
        count = len(sizes)
        for name, axes in list(open_tensors.items()):
            if _solve_tensor(name, axes, shapes[name], sizes):
                del open_tensors[name]
    return sizes


def _solve_tensor(name: str, axes: tuple[Axis, ...], shape: tuple[int, ...], sizes: dict[str, int]) -> bool:
    """Solve what one tensor tells; whether it is fully known then, and fits."""
    if len(axes) != len(shape):
        raise CheckpointRefusedError(f"tensor {name} has shape {list(shape)}, expected {len(axes)} axes")
    try:
        done = [_solve_axis(axis, size, sizes) for axis, size in zip(axes, shape, strict=True)]
    except ValueError as error:
        raise CheckpointRefusedError(f"tensor {name} has shape {list(shape)}: {error}") from error
    return all(done)


def _solve_axis(axis: Axis, size: int, sizes: dict[str, int]) -> bool:
    """Solve an axis that has at most one unknown part; whether all of it is known then.

    Raises:
        ValueError: where its size is not what its parts give.
    """
    if isinstance(axis, str):
        if sizes.setdefault(axis, size) != size:
            raise ValueError(f"{axis} has size {sizes[axis]} elsewhere, {size} here")
        return True
    parts = axis.factors if isinstance(axis, Product) else axis.terms
    unknown = dict.fromkeys(part for part in parts if not _is_known(part, sizes))
    known = [axis_size(part, sizes) for part in parts if part not in unknown]
    if not unknown:
        if axis_size(axis, sizes) != size:
            raise ValueError(f"{axis_text(axis)} is {axis_size(axis, sizes)}, {size} here")
        return True
    if len(unknown) > 1:
        return False
    (part,) = unknown
    return _solve_axis(part, _share(axis, size, known, len(parts) - len(known)), sizes)


def _share(axis: Product | Sum, size: int, known: list[int], count: int) -> int:
    """What is left of an axis' size for each of `count` equal unknown parts."""
    if isinstance(axis, Sum):
        left, rest = divmod(size - sum(known), count)
    else:
        left, rest = divmod(size, max(1, prod(known)))
    if rest or left < 1 or (isinstance(axis, Product) and count > 1):
        raise ValueError(f"{size} is no size for {axis_text(axis)} with parts {known}")
    return left


def _is_known(axis: Axis, sizes: Sizes) -> bool:
    match axis:
        case Product(parts) | Sum(parts):
            return all(_is_known(part, sizes) for part in parts)
        case _:
            return axis in sizes


def resized(spec: SymmetrySpec, sizes: Sizes) -> SymmetrySpec:
    """A spec at other sizes; atoms of size 1 leave the products that they stand in, and alone become the unit."""
    single = {atom.name for atom in spec.atoms.values() if atom.size == 1} - {UNIT.name}  # of their own, with a reason
    spec, sizes = _without_repeats(spec, sizes)
    gone = {name for name, size in sizes.items() if size == 1} - single
    atoms = {
        name: replace(atom, size=sizes[name], under="" if atom.under in gone else atom.under)
        for name, atom in spec.atoms.items()
        if name not in gone
    }
    tensors = {name: tuple(_without(axis, gone) for axis in axes) for name, axes in spec.tensors.items()}
    sites = {name: _resized_site(site, gone) for name, site in spec.sites.items()}
    used = {name for axes in tensors.values() for axis in axes for name in atoms_of(axis)} | set(spec.atoms)
    if UNIT.name in used | {site.axis for site in sites.values()}:
        atoms[UNIT.name] = UNIT
    return replace(spec, atoms=atoms, tensors=tensors, sites=sites)


def _without_repeats(spec: SymmetrySpec, sizes: Sizes) -> tuple[SymmetrySpec, Sizes]:
    """Where all queries share one key, those that repeat it are the heads."""
    shared = [name for name in spec.atoms if name.endswith(".heads") and sizes[name] == 1]
    names = {name.removesuffix("heads") + "repeats": name for name in shared}
    names = {repeats: heads for repeats, heads in names.items() if sizes.get(repeats, 1) > 1}
    if not names:
        return spec, sizes
    swapped = names | {heads: repeats for repeats, heads in names.items()}

    def rename(name: str) -> str:
        return swapped.get(name, name)

    atoms = {
        rename(name): replace(atom, name=rename(name), under=rename(atom.under)) for name, atom in spec.atoms.items()
    }
    tensors = {name: tuple(renamed_axis(axis, rename) for axis in axes) for name, axes in spec.tensors.items()}
    sites = {name: replace(site, axis=renamed_axis(site.axis, rename)) for name, site in spec.sites.items()}
    sizes = {rename(name): size for name, size in sizes.items()}
    kept = {name: replace(atom, size=sizes[name]) for name, atom in atoms.items()}
    return replace(spec, atoms=kept, tensors=tensors, sites=sites), sizes


def _resized_site(site: Site, gone: set[str]) -> Site:
    axis = _without(site.axis, gone)
    return replace(site, axis=axis, limit="none") if axis == UNIT.name != site.axis else replace(site, axis=axis)


def _without(axis: Axis, gone: set[str]) -> Axis:
    """An axis without its atoms of size 1 beside others."""
    match axis:
        case Product(factors):
            left = tuple(_without(factor, gone) for factor in factors)
            left = tuple(factor for factor in left if factor != UNIT.name)
            return Product(left) if len(left) > 1 else left[0] if left else UNIT.name
        case Sum(terms):
            return Sum(tuple(_without(term, gone) for term in terms))
        case _:
            return UNIT.name if axis in gone else axis
