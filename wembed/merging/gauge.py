"""The common gauge: a checkpoint in; the scales that bring its channels to the canonical place out.

Networks that differ by a rescaling are one function at different places; averages mean something only after both are
at the same one. The canonical view knows the scales behind activations. In front of a batch norm the stored variances
are made the true ones, where these are known; where they are not, the norm's gain moves into what it normalises.
Gains are positive wherever a sign can be moved out of them.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint
from wembed.symmetry import Action, SymmetrySpec, canonical
from wembed.symmetry.canonical_form.views import AffineView
from wembed.symmetry.spec import Layer

Vector = NDArray[np.float64]
_LEAST = 1e-6  # of a norm's median: a gain, or a share of the stored variance, below which a channel carries nothing
SIGNED = ("real", "sign")  # classes of sites that let signs through

Variances = Mapping[str, Vector]  # batch norm's name -> the true variance [N] of what enters it


def scale_action(checkpoint: Checkpoint, spec: SymmetrySpec, variances: Variances | None = None) -> Action:
    """The scales that bring a network to the gauge in which networks are compared and averaged.

    Args:
        checkpoint: the network.
        spec: its symmetries.
        variances: of its batch norms' inputs, where they are known.
    """
    scales = _magnitudes(checkpoint, spec)
    for norm in (layer for layer in spec.layers if layer.kind == "batch_norm"):
        gain = AffineView.of(checkpoint, spec, norm).gain
        scale = spec.sites[norm.source].scale
        if variances and scale in ("real", "positive"):
            stored = checkpoint.read(norm.tensors["running_var"]).astype(np.float64)
            scales[norm.source] = _true_to_stored(stored, variances[norm.name])
        elif scale == "real":
            scales[norm.source] = _or_one(np.abs(gain * scales.get(norm.target, 1.0)))
        for site in [name for name in (norm.source, norm.target) if spec.sites[name].scale in SIGNED][:1]:
            scales[site] = scales.get(site, 1.0) * np.where(gain < 0, -1.0, 1.0)
    for norm in _one_sided(spec):
        is_negative = checkpoint.read(norm.tensors["weight"]).astype(np.float64) < 0
        scales[norm.target] = scales.get(norm.target, 1.0) * np.where(is_negative, -1.0, 1.0)
    return Action({}, scales)


def _one_sided(spec: SymmetrySpec) -> list[Layer]:
    """The gains behind norms that let no sign through, whose own sign moves into what follows."""
    return [
        layer
        for layer in spec.layers
        if layer.kind == "gain"
        and "weight" in layer.tensors
        and not layer.target_part
        and spec.sites[layer.source].scale not in SIGNED
        and spec.sites[layer.target].scale in SIGNED
    ]


def _magnitudes(checkpoint: Checkpoint, spec: SymmetrySpec) -> dict[str, Vector]:
    """Site -> the positive factors that the canonical view multiplied its channels by; 1 where they carry nothing."""
    flow = canonical(checkpoint, spec).flow
    found: dict[str, Vector] = {}
    for view in flow.dense:
        first = np.unique(view.columns.index, return_index=True)[1]  # of the repeats of each channel
        found[view.source] = _ratio(1.0, view.down[first])
    stored = {layer.name: AffineView.of(checkpoint, spec, layer) for layer in spec.layers if layer.kind == "batch_norm"}
    for norm in (norm for norm in reversed(flow.affine) if norm.name in stored):
        found[norm.source] = _ratio(found.get(norm.target, 1.0) * stored[norm.name].gain, norm.gain)
    return {site: factors for site, factors in found.items() if spec.sites[site].scale in ("positive", "real")}


def _ratio(above: Vector | float, below: Vector) -> Vector:
    """The size of a quotient, 1 where it is none."""
    ratio = np.abs(above / np.where(below == 0, 1.0, below))
    return np.where((below == 0) | (ratio == 0), 1.0, ratio)


def _true_to_stored(stored: Vector, variance: Vector) -> Vector:
    """The factors that bring values of a variance to the stored one; 1 where they hardly vary."""
    return _or_one(np.sqrt(stored / np.maximum(variance, np.maximum(_LEAST * stored, np.finfo(float).tiny))))


def _or_one(sizes: Vector) -> Vector:
    """Sizes, with 1 in the place of those that are next to nothing."""
    return np.where(sizes > _LEAST * np.median(sizes), sizes, 1.0)
