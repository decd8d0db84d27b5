"""Which layers stand on which side of a site, and what follows for the factors that it can take.

A site's factors multiply what writes it and divide what reads it; its duals take them inverted. So the writers of a
site and the readers of its duals change in one way, its readers and the writers of its duals in the inverse one.
"""

from collections import defaultdict
from collections.abc import Iterator

from wembed.symmetry.cells import Side
from wembed.symmetry.spec import Layer, ScaleClass, SymmetrySpec

Face = tuple[Layer, Side]


def duals_of(spec: SymmetrySpec, site: str) -> list[str]:
    """The sites that take a site's factors inverted."""
    return [other.name for other in spec.sites.values() if other.dual == site]


def faces(spec: SymmetrySpec, site: str) -> Iterator[Face]:
    """The layers beside a site, each with the side on which the site is to it."""
    for layer in spec.layers:
        if layer.target == site:
            yield layer, "target"
        if layer.source == site:
            yield layer, "source"


def reach(spec: SymmetrySpec, site: str) -> ScaleClass:
    """The factors that can be carried out on a site and its duals: their class, or what their layers leave of it.

    Matrices act on weights only, and a rotation needs both halves of every weight that writes.
    """
    scale = spec.sites[site].scale
    beside = [face for name in (site, *duals_of(spec, site)) for face in faces(spec, name)]
    if scale == "linear" and any(layer.kind != "dense" for layer, _ in beside):
        return "real"
    if scale == "rotary" and not _can_turn(spec, site):
        return "positive"
    return scale


def _can_turn(spec: SymmetrySpec, site: str) -> bool:
    names = (site, *duals_of(spec, site))
    all_faces = [face for name in names for face in faces(spec, name)]
    groups = [group for name in names for group in _halves(spec, name).values()]
    return all(layer.kind == "dense" and side == "target" for layer, side in all_faces) and all(
        len(group) == 2 and group[0].tensors.keys() == group[1].tensors.keys() for group in groups
    )


def halves(spec: SymmetrySpec, site: str) -> list[tuple[Layer, Layer]]:
    """The pairs of layers that write the real and the imaginary parts of a site that can be turned."""
    return [(group[0], group[1]) for group in _halves(spec, site).values()]


def _halves(spec: SymmetrySpec, site: str) -> dict[tuple[str, str, tuple[int, ...]], list[Layer]]:
    found: dict[tuple[str, str, tuple[int, ...]], list[Layer]] = defaultdict(list)
    for layer in spec.layers:
        if layer.target == site and layer.kind == "dense":
            found[layer.tensors["weight"], layer.source, layer.source_part].append(layer)
    for group in found.values():
        group.sort(key=lambda layer: layer.target_part)
    return found


def shifts_of_values(spec: SymmetrySpec, site: str) -> bool:
    """Whether a vector may be added to a site's bias and taken from its readers' biases: attention weights add up to 1.

    Bias and readers must be there to take it.
    """
    beside = list(faces(spec, site))
    writers = [layer for layer, side in beside if side == "target"]
    readers = [layer for layer, side in beside if side == "source"]
    known = spec.sites[site].activation == "attention" and not spec.sites[site].fixed
    takes = all(_is_plain(layer) for layer in readers) and all(layer.kind == "dense" for layer in writers)
    return known and takes and bool(readers) and bool(writers)


def shifts_of_keys(spec: SymmetrySpec, site: str) -> bool:
    """Whether any vector may be added to a site's bias: a softmax over keys does not see what all keys share."""
    found = spec.sites[site]
    dense = all(layer.kind == "dense" and side == "target" for layer, side in faces(spec, site))
    return bool(found.dual) and found.activation == "scores" and not found.fixed and dense


def _is_plain(layer: Layer) -> bool:
    """Whether a constant input gives a constant output: a convolution's padding would break it."""
    return layer.kind == "dense" and "tap" not in layer.layout
