"""The common gauge: a checkpoint in; the scales that bring its channels to the canonical place out.

Networks that differ by a rescaling are one function at different places; averages mean something only after both are
at the same one. The canonical view knows the scales behind activations; in front of a batch norm the gain is made
positive and, where the true variances are known, the stored ones are made true.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.symmetry import Action, SymmetrySpec, canonical
from wembed.symmetry.spec import Layer
from wembed.symmetry.views import AffineView

Vector = NDArray[np.float64]
Variances = Mapping[str, Vector]  # batch norm's name -> the true variance [N] of what enters it


def scale_action(checkpoint: Checkpoint, spec: SymmetrySpec, variances: Variances | None = None) -> Action:
    """The scales that bring a network to the gauge in which networks are compared and averaged.

    Args:
        checkpoint: the network.
        spec: its symmetries.
        variances: of its batch norms' inputs; where they are not known, the stored ones are taken for true.
    """
    scales = _magnitudes(checkpoint, spec)
    for layer in spec.layers:
        if layer.kind == "batch_norm":
            site, factors = _norm_scale(checkpoint, spec, layer, (variances or {}).get(layer.name))
            if site:
                scales[site] = scales.get(site, np.ones(1)) * factors
    return Action({}, scales)


def _magnitudes(checkpoint: Checkpoint, spec: SymmetrySpec) -> dict[str, Vector]:
    """Site -> the positive factors that the canonical view multiplied its channels by; 1 where they carry nothing."""
    flow = canonical(checkpoint, spec).flow
    found: dict[str, Vector] = {}
    for view in flow.dense:
        found[view.source] = _finite(1.0, view.down)
    stored = {layer.name: AffineView.of(checkpoint, layer) for layer in spec.layers if layer.kind == "batch_norm"}
    for norm in reversed(flow.affine):
        found[norm.source] = _finite(found.get(norm.target, 1.0) * stored[norm.name].gain, norm.gain)
    return {site: factors for site, factors in found.items() if spec.sites[site].scale in ("positive", "real")}


def _finite(above: Vector | float, below: Vector) -> Vector:
    """The size of a quotient, 1 where it is none."""
    ratio = np.abs(above / np.where(below == 0, 1.0, below))
    return np.where((below == 0) | (ratio == 0), 1.0, ratio)


def _norm_scale(checkpoint: Checkpoint, spec: SymmetrySpec, norm: Layer, variance: Vector | None) -> tuple[str, Vector]:
    """The site beside a batch norm that can take its signs and sizes, or "", and the factors."""
    gain = checkpoint.read(norm.tensors["weight"]).astype(np.float64)
    signs = np.where(gain < 0, -1.0, 1.0)
    before, behind = spec.sites[norm.source].scale, spec.sites[norm.target].scale
    if before == "real" and spec.sites[norm.source].activation == "identity" and variance is not None:
        stored = checkpoint.read(norm.tensors["running_var"]).astype(np.float64)
        return norm.source, signs * np.sqrt(_finite(stored, variance))
    if before in ("real", "sign"):
        return norm.source, signs
    return (norm.target, signs) if behind in ("real", "sign") else ("", signs)
