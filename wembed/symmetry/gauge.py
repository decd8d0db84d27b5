"""Moving a network's scales to their canonical place, and dropping the channels that carry nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.balance import Term, balance
from wembed.symmetry.views import Flow, Vector

_DEAD = 1e-6  # of the site's median: a channel's in-norm times out-norm below which it carries nothing

Masks = Mapping[str, NDArray[np.bool_]]  # site -> which of its channels


def settle_scales(flow: Flow, sites: Sequence[str]) -> Flow:
    """The same function at the density-norm minimum of its scales.

    Args:
        flow: the layers.
        sites: the sites whose channels may be multiplied by any positive factor.
    """
    flow = _balanced(_without_dead(flow, sites, floor=0.0), sites)
    # What a channel carries is only comparable at the minimum, where no gauge is left.
    alive = _without_dead(flow, sites, floor=_DEAD)
    return flow if alive is flow else _balanced(alive, sites)


def _without_dead(flow: Flow, sites: Sequence[str], floor: float) -> Flow:
    """Zero the channels that carry at most `floor` times the median of their site, until no more die of it.

    Their weights are rounding errors on one side at least, and balancing would raise them to the size of the other.
    """
    while True:
        norms = _norms(flow, sites)
        keep = {}
        for site, (into, out_of) in norms.items():
            carried = np.sqrt(into * out_of)
            least = floor * float(np.median(carried[carried > 0])) if carried.any() else 0.0
            dead = (carried <= least) & ((into > 0) | (out_of > 0))
            if dead.any():
                keep[site] = np.where(dead, 0.0, 1.0)
        if not keep:
            return flow
        flow = flow.scaled(keep, keep)


def _norms(flow: Flow, sites: Sequence[str]) -> dict[str, tuple[Vector, Vector]]:
    """Site -> the squared norms [N] of what goes into and of what comes out of each of its channels."""
    into: dict[str, Vector] = {}
    out_of: dict[str, Vector] = {}
    for layer in flow.dense:
        density = layer.density()
        into[layer.target] = into.get(layer.target, 0.0) + density.sum(1) + layer.bias**2 / len(layer.bias)
        out_of[layer.source] = out_of.get(layer.source, 0.0) + density.sum(0)
    for norm in flow.affine:
        size = len(norm.gain)
        into[norm.target] = into.get(norm.target, 0.0) + (norm.gain**2 + norm.shift**2) / size
        out_of[norm.source] = out_of.get(norm.source, 0.0) + norm.gain**2 / size
    # A site that nothing writes, or nothing reads, carries nothing.
    missing = {site: np.zeros(max(len(into.get(site, ())), len(out_of.get(site, ())))) for site in sites}
    return {site: (into.get(site, missing[site]), out_of.get(site, missing[site])) for site in sites}


def _balanced(flow: Flow, sites: Sequence[str]) -> Flow:
    """The layers at the minimum; channels with nothing on either side take no part."""
    alive = {site: (into > 0) & (out_of > 0) for site, (into, out_of) in _norms(flow, sites).items()}
    places: dict[str, slice] = {}
    size = 0
    for site, mask in alive.items():
        places[site] = slice(size, size + int(mask.sum()))
        size = places[site].stop
    logs = balance(_terms(flow, alive, places), list(places.values()), size)
    up = {}
    for site, place in places.items():
        up[site] = np.ones(len(alive[site]))
        up[site][alive[site]] = np.exp(logs[place])
    return flow.scaled(up, {site: 1.0 / factors for site, factors in up.items()})


def _terms(flow: Flow, alive: Masks, places: Mapping[str, slice]) -> list[Term]:
    terms = []
    blocks = [(layer.target, layer.source, layer.density(), layer.bias) for layer in flow.dense]
    for norm in flow.affine:
        blocks.append((norm.target, norm.source, np.diag(norm.gain**2 / len(norm.gain)), norm.shift))
    for writes, reads, density, bias in blocks:
        target, source = places.get(writes), places.get(reads)
        rows = alive.get(writes, np.ones(density.shape[0], dtype=bool))
        columns = alive.get(reads, np.ones(density.shape[1], dtype=bool))
        if target or source:
            terms.append(Term(density[rows][:, columns], target, source))
        if target:
            terms.append(Term((bias[rows] ** 2 / len(bias))[:, None], target, None))
    return terms
