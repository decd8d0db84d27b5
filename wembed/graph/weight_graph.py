"""WeightGraph: what encoders read.

Nodes are the indices of a *group* (a distinct axis expression). A *block* is one weight, dense, from a source group to
a target group; the pixels of a flatten and a kernel's positions are its taps. Biases, gains and slopes are features of
nodes. Blocks stand in data-flow order and read their weight only when asked.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.graph.flow import HeadLink, depths, head_links
from wembed.symmetry import CanonicalView, SymmetrySpec, canonical
from wembed.symmetry.axes import Axis, axis_text
from wembed.symmetry.canonical_form.views import DenseView, Tile

Vector = NDArray[np.float64]

# What a head does with its values is no function of each of them alone; the identity is nearest.
_LINEAR = ("identity", "attention", "scores", "bilinear", "rotary", "low_rank")

VECTOR_ROLES = ("bias", "gain", "shift", "slope", "vector")


@dataclass(frozen=True)
class Group:
    """The nodes of one axis.

    Args:
        name: its axis expression, in words.
        size: number of nodes N.
        free: whether its nodes may be permuted.
        ordered: whether no node may be permuted (inputs, classes, vocabularies): they are told apart by their place.
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

    @property
    def entries(self) -> int:
        """Number of entries of its weight."""
        return self._view.up.size * self._view.down.size * math.prod(self.taps)

    def weight(self) -> NDArray[np.float64]:
        """The canonical weight [T, S, taps], read from the file now."""
        return self._view.weight()

    def tiles(self) -> Iterator[Tile]:
        """The canonical weight in float32, piece by piece, read from the file now."""
        return self._view.tiles()


@dataclass(frozen=True)
class WeightGraph:
    """Groups by name, blocks in data-flow order, and the groups that share heads."""

    groups: Mapping[str, Group]
    blocks: tuple[Block, ...]
    links: tuple[HeadLink, ...] = ()

    @property
    def entries(self) -> int:
        """Number of entries of all weights."""
        return sum(block.entries for block in self.blocks)


def build_graph(checkpoint: Checkpoint, spec: SymmetrySpec) -> WeightGraph:
    """The weight graph of a checkpoint's canonical view.

    Raises:
        CheckpointRefusedError: a tensor that is not finite, or no weight at all.
    """
    view = canonical(checkpoint, spec)
    names = _group_names(view)
    layers = [layer for layer in view.flow.dense if layer.up.size and layer.down.size]  # those with entries
    if not layers:
        raise CheckpointRefusedError(f"{checkpoint.path}: nothing to embed, it holds no weight of two axes or more")
    depth = depths([(layer.name, names[layer.source], names[layer.target]) for layer in view.flow.dense])
    blocks = []
    for layer in layers:
        source, target = names[layer.source], names[layer.target]
        blocks.append(
            Block(layer.name, source, target, layer.taps, depth[layer.name], layer.bias, layer.bias_size, layer)
        )
    members: dict[str, list[str]] = {}
    for site in view.sites:
        members.setdefault(names[site], []).append(site)
    vectors = _vectors(view, names)
    groups = {name: _group(view, name, sites, vectors.get(name, {})) for name, sites in members.items()}
    links = head_links(view, names, [(block.source, block.target) for block in blocks])
    return WeightGraph(groups, tuple(blocks), links)


def _group_names(view: CanonicalView) -> dict[str, str]:
    """Site -> group: one for each axis, but channels that are known up to signs of their own have one of their own.

    Their signs, and the order of a head's singular vectors, have nothing to do with those of other sites.
    """
    axes = {site: view.flow.channels[site].axis for site in view.sites}
    kin = {site: view.kin[site] if site in view.signed else "" for site in view.sites}
    found: dict[Axis, list[str]] = {}
    for site, axis in axes.items():
        if kin[site] not in found.setdefault(axis, []):
            found[axis].append(kin[site])
    names = {}
    for site, axis in axes.items():
        is_alone = len(found[axis]) == 1 or not kin[site]
        names[site] = axis_text(axis) if is_alone else f"{axis_text(axis)} @ {kin[site]}"
    return names


def _group(view: CanonicalView, name: str, sites: list[str], vectors: Mapping[str, Vector]) -> Group:
    spec, channels = view.spec, view.flow.channels[sites[0]]
    frozen = spec.why_frozen(channels.axis)
    return Group(
        name=name,
        size=channels.size,
        free=not frozen,
        ordered=bool(frozen),
        signed=any(site in view.signed for site in sites),
        activation=_activation(spec, sites),
        vectors=vectors,
    )


def _activation(spec: SymmetrySpec, sites: list[str]) -> str:
    """The last function that changes the values of a group; where there is none, or they leave, the identity."""
    passed = [site.activation for site in spec.sites.values() if site.name in sites and not site.fixed]
    return next((activation for activation in reversed(passed) if activation not in _LINEAR), "identity")


def _vectors(view: CanonicalView, names: Mapping[str, str]) -> dict[str, dict[str, Vector]]:
    """Group name -> role -> values; what falls on one group in one role adds up, a bias of two writers too."""
    found: dict[str, dict[str, Vector]] = {}

    def add(site: str, role: str, values: Vector) -> None:
        roles = found.setdefault(names[site], {})
        roles[role] = roles[role] + values if role in roles else values

    for layer in view.flow.dense:
        add(layer.target, "bias", layer.bias)
    for norm in view.flow.affine:
        spread = view.flow.channels[norm.target].spread
        add(norm.target, "gain", spread(norm.gain))
        add(norm.target, "shift", spread(norm.shift))
        if not np.array_equal(norm.size, np.abs(norm.gain)):  # the taps of a depthwise convolution
            add(norm.target, "vector", spread(norm.size))
    slopes = {site.slope for site in view.spec.sites.values()}
    for name, (site, values) in view.vectors.items():
        add(site, "slope" if name in slopes else "vector", view.flow.channels[site].spread(values))
    return found
