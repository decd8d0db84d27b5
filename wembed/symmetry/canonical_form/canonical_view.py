"""The canonical view of a network: every continuous symmetry that can be removed exactly, removed, in float64.

What enters is a checkpoint and its spec; what leaves are layers whose weights are read through factors, never written
back. Norms fold into the layer that they directly follow, gains into what reads them; heads and low ranks get their
singular vectors; channels that carry nothing are zeroed; then all scales are moved to the one density-norm minimum. Two
members of one symmetry class have the same view up to permutations, and up to signs where a site lets them through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from wembed.checkpoint import Checkpoint
from wembed.symmetry.action.channels import channels_of
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.canonical_form.gauge import settle_scales
from wembed.symmetry.canonical_form.heads import moved_biases, settle_heads, with_constant_source
from wembed.symmetry.canonical_form.views import AffineView, DenseView, Flow, Vector, read_part, read_vector
from wembed.symmetry.spec import SymmetrySpec, layers_between

_ROUNDS = 60  # of heads and scales in turn, where a head reads or writes what is scaled
_TOLERANCE = 1e-10  # of a factor


@dataclass(frozen=True)
class CanonicalView:
    """A network after its continuous symmetries are gone.

    Args:
        spec: the spec that it follows.
        flow: its layers.
        vectors: layer name -> the site that it lies along and its values [N], of what has no known part in the flow;
            the same by tensor name for PReLU slopes.
        signed: the sites whose channels are known only up to their sign.
        kin: site -> the first of the sites whose channels have the same order and signs as its own.
    """

    spec: SymmetrySpec
    flow: Flow
    vectors: Mapping[str, tuple[str, Vector]]
    signed: frozenset[str]
    kin: Mapping[str, str]

    @property
    def sites(self) -> list[str]:
        """All sites that something is known of, in the order of the layers."""
        ends = [site for layer in self.flow.dense for site in (layer.source, layer.target)]
        ends += [site for norm in self.flow.affine for site in (norm.source, norm.target)]
        return list(dict.fromkeys([*ends, *(site for site, _ in self.vectors.values())]))


def canonical(checkpoint: Checkpoint, spec: SymmetrySpec) -> CanonicalView:
    """The canonical view of a checkpoint.

    Raises:
        CheckpointRefusedError: a tensor that is not finite.
    """
    sides = Sides.of(spec)
    flow = _settled(moved_biases(_without_gains(_folded(checkpoint, spec), sides), sides), sides)
    signed = {name for name in flow.sites if sides.scale(name) in ("sign", "real", "linear", "rotary")}
    signs = _settle_signs(flow, sides, signed)
    kin = _kin(flow, sides)
    return CanonicalView(spec, flow.scaled(signs, signs), _vectors(checkpoint, spec), frozenset(signed), kin)


def _settled(flow: Flow, sides: Sides) -> Flow:
    """Heads and scales at their canonical place. Each depends on the other only where a head meets a scaled site."""
    scaled = sorted({sides.primary(name) for name in flow.sites if sides.scale(name) in ("positive", "real")})
    duals = {name: site.dual for name, site in sides.spec.sites.items() if site.dual}
    heads = {name for name in flow.sites if sides.scale(name) in ("linear", "rotary")}
    ends = [{view.source, view.target} for view in flow.dense]
    meet = any(end & heads and any(sides.primary(name) in scaled for name in end) for end in ends)
    for _ in range(_ROUNDS):
        before = flow
        flow = settle_heads(flow, sides) if heads else flow
        flow = settle_scales(flow, scaled, duals) if scaled else flow
        if not meet or _distance(before, flow) < _TOLERANCE:
            break
    return flow


def _distance(before: Flow, after: Flow) -> float:
    """The largest relative change of a factor on a source or a target."""
    largest = 0.0
    for one, other in zip(before.dense, after.dense, strict=True):
        for old, new in ((one.up, other.up), (one.down, other.down)):
            change = np.abs(np.abs(new) - np.abs(old)) / np.where(old == 0, 1.0, np.abs(old))
            largest = max(largest, float(change.max(initial=0.0)))
    return largest


def _folded(checkpoint: Checkpoint, spec: SymmetrySpec) -> Flow:
    """The layers as they are in the file, each batch norm folded where it directly follows its layer."""
    norms = {layer.name: layer for layer in spec.layers if layer.kind == "batch_norm"}
    following = {norm.source: norm.name for norm in norms.values() if _directly_follows(spec, norm.source)}
    channels = channels_of(spec)
    dense, affine = [], []
    for layer in spec.layers:
        norm = None
        if layer.kind in ("dense", "gain", "depthwise") and layer.target in following:
            norm = AffineView.of(checkpoint, spec, norms.pop(following[layer.target]))
        if layer.kind == "dense":
            view = DenseView.of(checkpoint, spec, layer, channels)
            dense.append(view.behind(norm) if norm else view)
        elif layer.kind in ("gain", "depthwise"):
            gain = AffineView.of_gain(checkpoint, spec, layer)
            affine.append(gain.behind(norm) if norm else gain)
    affine += [AffineView.of(checkpoint, spec, norm) for norm in norms.values()]
    return Flow(tuple(dense), tuple(affine), channels)


def _directly_follows(spec: SymmetrySpec, site: str) -> bool:
    writers, readers = layers_between(spec, site)
    return len(writers) == len(readers) == 1 and spec.sites[site].activation == "identity"


def _without_gains(flow: Flow, sides: Sides) -> Flow:
    """The same function with gains, of norms say, in the weights that read them, where nothing else does."""
    kinds = {layer.name: layer.kind for layer in sides.spec.layers}
    for norm in flow.affine:
        site = norm.target
        if kinds[norm.name] == "gain" and sides.scale(site) in ("real", "linear") and _only_feeds_dense(flow, site):
            dense = tuple(_behind_gain(view, norm) if view.source == site else view for view in flow.dense)
            flow = replace(flow, dense=dense, affine=tuple(other for other in flow.affine if other is not norm))
    return flow


def _only_feeds_dense(flow: Flow, site: str) -> bool:
    """Whether one layer writes a site and nothing but dense layers without a kernel read it."""
    writers = [end for end in [*(v.target for v in flow.dense), *(n.target for n in flow.affine)] if end == site]
    readers = [view for view in flow.dense if view.source == site]
    others = [norm for norm in flow.affine if norm.source == site]
    return len(writers) == 1 and bool(readers) and not others and not any(view.has_kernel for view in readers)


def _behind_gain(view: DenseView, norm: AffineView) -> DenseView:
    view = with_constant_source(view, view.columns.spread(norm.shift))
    return replace(view, source=norm.source, down=view.down * view.columns.spread(norm.gain))


def _settle_signs(flow: Flow, sides: Sides, signed: set[str]) -> dict[str, Vector]:
    """The signs that make gains positive; sites whose sign is settled by that are taken out of `signed`.

    The two sides of an affine node then share one sign: known if it is known on either side, else open on both. So do
    a site and its duals.
    """
    signs: dict[str, Vector] = {}
    together = {name: {other for other in flow.sites if sides.primary(other) == sides.primary(name)} for name in signed}

    def settle(site: str, values: Vector) -> None:
        for name in together[site]:
            signs[name] = np.where(values < 0, -1.0, 1.0)

    for norm in reversed(flow.affine):
        if norm.source in signed and norm.target not in signed:
            settle(norm.source, norm.gain * signs.get(norm.target, np.ones(1)))
            signed -= together[norm.source]
    for norm in flow.affine:
        if norm.target in signed:
            settle(norm.target, norm.gain * signs.get(norm.source, np.ones(1)))
            if norm.source not in signed:
                signed -= together[norm.target]
    return signs


def _kin(flow: Flow, sides: Sides) -> dict[str, str]:
    """Site -> the first of those that it shares its channels with: across affine nodes, and with its duals."""
    kin = {name: sides.primary(name) for name in sides.spec.sites}
    for norm in flow.affine:
        one, other = kin[norm.source], kin[norm.target]
        kin = {name: one if first == other else first for name, first in kin.items()}
    return kin


def _vectors(checkpoint: Checkpoint, spec: SymmetrySpec) -> dict[str, tuple[str, Vector]]:
    plain = [(layer, role) for layer in spec.layers if layer.kind == "vector" for role in layer.tensors]
    sloped = [site for site in spec.sites.values() if site.slope]
    found = {layer.name: (layer.target, read_part(checkpoint, spec, layer, role)) for layer, role in plain}
    return found | {site.slope: (site.name, read_vector(checkpoint, spec, site.slope)) for site in sloped}
