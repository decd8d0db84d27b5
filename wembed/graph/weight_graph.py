"""WeightGraph: what encoders read.

Nodes are the indices of a *group* (a distinct axis expression). A *block* is one weight, dense, from a source group to
a target group; the pixels of a flatten and a kernel's positions are its taps. Biases, gains and slopes are features of
nodes. Blocks stand in data-flow order and read their weight only when asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.symmetry import CanonicalView, SymmetrySpec, canonical
from wembed.symmetry.axes import Axis, atoms_of, axis_text
from wembed.symmetry.views import DenseView

Vector = NDArray[np.float64]

VECTOR_ROLES = ("bias", "gain", "shift", "slope", "vector")


@dataclass(frozen=True)
class Group:
    """The nodes of one axis.

    Args:
        name: its axis expression, in words.
        size: number of nodes N.
        free: whether its nodes may be permuted.
        ordered: whether the nodes' order means something (inputs, outputs): they are told apart by their place.
        signed: whether its nodes are known only up to their sign.
        activation: what its values pass on their way to their readers, as far as it is known.
        vectors: role -> values [N]; odd roles (all but `slope`) turn with the sign.
    """

    name: str
    size: int
    free: bool
    ordered: bool
    signed: bool
    activation: str
    vectors: Mapping[str, Vector]


@dataclass(frozen=True)
class Block:
    """One weight between two groups.

    Args:
        name: the layer's name.
        source: group name.
        target: group name.
        taps: the grid of the taps, () for a plain matrix.
        depth: place in the data flow, 0 at the first layer of a chain, 1 at its last.
        bias: [T], zeros where the layer has none.
        bias_size: [T], the size of the parts that the bias adds up from.
    """

    name: str
    source: str
    target: str
    taps: tuple[int, ...]
    depth: float
    bias: Vector
    bias_size: Vector
    _view: DenseView = field(repr=False)

    def weight(self) -> NDArray[np.float64]:
        """The canonical weight [T, S, taps], read from the file now."""
        return self._view.weight()


@dataclass(frozen=True)
class WeightGraph:
    """Groups by name, and blocks in data-flow order."""

    groups: Mapping[str, Group]
    blocks: tuple[Block, ...]


def build_graph(checkpoint: Checkpoint, spec: SymmetrySpec) -> WeightGraph:
    """The weight graph of a checkpoint's canonical view.

    Raises:
        CheckpointRefusedError: a tensor that is not finite, or no weight at all.
    """
    view = canonical(checkpoint, spec)
    depths = _depths(view)
    blocks = []
    for layer in view.flow.dense:
        if not (layer.up.size and layer.down.size):
            continue  # a weight without entries
        source, target = (axis_text(spec.sites[name].axis) for name in (layer.source, layer.target))
        blocks.append(
            Block(layer.name, source, target, layer.taps, depths[layer.name], layer.bias, layer.bias_size, layer)
        )
    if not blocks:
        raise CheckpointRefusedError(f"{checkpoint.path}: nothing to embed, it holds no weight of two axes or more")
    vectors = _vectors(view)
    axes = dict.fromkeys(spec.sites[name].axis for layer in view.flow.dense for name in (layer.source, layer.target))
    axes |= dict.fromkeys(spec.sites[site].axis for site, _ in view.vectors.values())
    groups = {axis_text(axis): _group(view, axis, vectors.get(axis_text(axis), {})) for axis in axes}
    return WeightGraph(groups, tuple(blocks))


def _group(view: CanonicalView, axis: Axis, vectors: Mapping[str, Vector]) -> Group:
    spec = view.spec
    atoms = [spec.atoms[name] for name in atoms_of(axis)]
    return Group(
        name=axis_text(axis),
        size=spec.size_of(axis),
        free=not spec.why_frozen(axis),
        ordered=any(atom.kind in ("input", "output") for atom in atoms),
        signed=any(spec.sites[site].axis == axis for site in view.signed),
        activation=_activation(spec, axis),
        vectors=vectors,
    )


def _activation(spec: SymmetrySpec, axis: Axis) -> str:
    """The last function that changes the values along an axis; where there is none, or they leave, the identity."""
    passed = [site.activation for site in spec.sites.values() if site.axis == axis and not site.fixed]
    return next((activation for activation in reversed(passed) if activation != "identity"), "identity")


def _vectors(view: CanonicalView) -> dict[str, dict[str, Vector]]:
    """Group name -> role -> values; what falls on one group in one role adds up, a bias of two writers too."""
    found: dict[str, dict[str, Vector]] = {}

    def add(site: str, role: str, values: Vector) -> None:
        roles = found.setdefault(axis_text(view.spec.sites[site].axis), {})
        roles[role] = roles[role] + values if role in roles else values

    for layer in view.flow.dense:
        add(layer.target, "bias", layer.bias)
    for norm in view.flow.affine:
        add(norm.target, "gain", norm.gain)
        add(norm.target, "shift", norm.shift)
    slopes = {site.slope for site in view.spec.sites.values()}
    for name, (site, values) in view.vectors.items():
        add(site, "slope" if name in slopes else "vector", values)
    return found


def _depths(view: CanonicalView) -> dict[str, float]:
    """Layer name -> how far along its own chain it stands, 0 to 1; .5 where there is no chain."""
    groups = {
        layer.name: [view.spec.sites[name].axis for name in (layer.source, layer.target)] for layer in view.flow.dense
    }
    before: dict[Axis, int] = {}
    for source, target in groups.values():
        before[target] = max(before.get(target, 0), before.get(source, 0) + 1)
    behind: dict[Axis, int] = {}
    for source, target in reversed(groups.values()):
        behind[source] = max(behind.get(source, 0), behind.get(target, 0) + 1)
    depths = {}
    for name, (source, target) in groups.items():
        first, last = before.get(source, 0), behind.get(target, 0)
        depths[name] = first / (first + last) if first + last else 0.5
    return depths
