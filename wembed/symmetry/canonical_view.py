"""The canonical view of a network: every continuous symmetry that chains have, removed exactly, in float64.

What enters is a checkpoint and its spec; what leaves are layers whose weights are read through scales, never written
back. Batch norms fold into the layer that they directly follow and stay affine nodes elsewhere; channels that carry
nothing are zeroed; then all scales are moved to the one density-norm minimum. Two members of one symmetry class have
the same view up to permutations, and up to signs where a site lets them through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from wembed.checkpoint import Checkpoint
from wembed.symmetry.gauge import settle_scales
from wembed.symmetry.spec import Layer, SymmetrySpec, layers_between
from wembed.symmetry.views import AffineView, DenseView, Flow, Vector


@dataclass(frozen=True)
class CanonicalView:
    """A network after its continuous symmetries are gone.

    Args:
        spec: the spec that it follows.
        flow: its layers.
        vectors: tensor name -> the site that it lies along and its values [N]: what has no known part in the flow,
            and PReLU slopes.
        signed: the sites whose channels are known only up to their sign.
    """

    spec: SymmetrySpec
    flow: Flow
    vectors: Mapping[str, tuple[str, Vector]]
    signed: frozenset[str]


def canonical(checkpoint: Checkpoint, spec: SymmetrySpec) -> CanonicalView:
    """The canonical view of a checkpoint.

    Raises:
        CheckpointRefusedError: a tensor that is not finite.
    """
    flow = _folded(checkpoint, spec)
    positive = sorted(name for name in flow.sites if spec.sites[name].scale in ("positive", "real"))
    if positive:
        flow = settle_scales(flow, positive)
    signed = {name for name in flow.sites if spec.sites[name].scale in ("sign", "real")}
    signs = _settle_signs(flow, signed)
    return CanonicalView(spec, flow.scaled(signs, signs), _vectors(checkpoint, spec), frozenset(signed))


def _folded(checkpoint: Checkpoint, spec: SymmetrySpec) -> Flow:
    """The layers as they are in the file, each batch norm folded where it directly follows its layer."""
    norms = {layer.source: layer for layer in spec.layers if layer.kind == "batch_norm"}
    dense = []
    for layer in spec.layers:
        if layer.kind == "dense":
            view = DenseView.of(checkpoint, spec, layer)
            if layer.target in norms and _directly_follows(spec, layer.target):
                view = _fold(view, norms.pop(layer.target), checkpoint)
            dense.append(view)
    return Flow(tuple(dense), tuple(AffineView.of(checkpoint, norm) for norm in norms.values()))


def _fold(view: DenseView, layer: Layer, checkpoint: Checkpoint) -> DenseView:
    norm = AffineView.of(checkpoint, layer)
    bias = view.bias * norm.gain + norm.shift
    own = checkpoint.read(layer.tensors["bias"]).astype(np.float64)
    return replace(view, target=norm.target, up=view.up * norm.gain, bias=bias, bias_size=np.hypot(own, bias - own))


def _directly_follows(spec: SymmetrySpec, site: str) -> bool:
    writers, readers = layers_between(spec, site)
    return len(writers) == len(readers) == 1 and spec.sites[site].activation == "identity"


def _settle_signs(flow: Flow, signed: set[str]) -> dict[str, Vector]:
    """The signs that make every gain positive; sites whose sign is settled by that are taken out of `signed`.

    The two sides of an affine node then share one sign: known if it is known on either side, else open on both.
    """
    signs: dict[str, Vector] = {}
    for norm in reversed(flow.affine):
        if norm.source in signed and norm.target not in signed:
            signs[norm.source] = _signs(norm.gain * signs.get(norm.target, np.ones(1)))
            signed.remove(norm.source)
    for norm in flow.affine:
        if norm.target in signed:
            signs[norm.target] = _signs(norm.gain * signs.get(norm.source, np.ones(1)))
            if norm.source not in signed:
                signed.remove(norm.target)
    return signs


def _signs(values: Vector) -> Vector:
    return np.where(values < 0, -1.0, 1.0)


def _vectors(checkpoint: Checkpoint, spec: SymmetrySpec) -> dict[str, tuple[str, Vector]]:
    named = {name: layer.target for layer in spec.layers if layer.kind == "vector" for name in layer.tensors.values()}
    named |= {site.slope: site.name for site in spec.sites.values() if site.slope}
    return {name: (site, checkpoint.read(name).astype(np.float64)) for name, site in named.items()}
