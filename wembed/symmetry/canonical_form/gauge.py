"""Moving a network's scales to their canonical place, and dropping the channels that carry nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.canonical_form.balance import Term, balance
from wembed.symmetry.canonical_form.views import AffineView, DenseView, Flow, Vector, over_taps

DEAD = 1e-6  # of the site's median: a channel's in-norm times out-norm below which it carries nothing

Masks = Mapping[str, NDArray[np.bool_]]  # site -> which of its channels


@dataclass(frozen=True)
class _Block:
    """What the objective sees of a layer.

    Args:
        density: [T, S]; one row or column where that side is not scaled.
        target: the site whose factors its rows take, "" for none.
        source: the same for its columns.
        target_power: 1, or -1 where they are taken inverted.
        source_power: the same for its columns.
    """

    density: Vector
    target: str
    source: str = ""
    target_power: int = 1
    source_power: int = 1

    def kept(self, keep: Mapping[str, Vector]) -> "_Block":
        """With the channels zeroed that are not to be kept."""
        rows = keep[self.target] if self.target else np.ones(1)
        columns = keep[self.source] if self.source else np.ones(1)
        return replace(self, density=self.density * rows[:, None] * columns[None, :])

    def term(self, alive: Masks, places: Mapping[str, slice]) -> Term:
        """As a part of the objective over the channels that are alive."""
        rows = alive[self.target] if self.target else np.ones(1, dtype=bool)
        columns = alive[self.source] if self.source else np.ones(1, dtype=bool)
        target, source = places.get(self.target), places.get(self.source)
        return Term(self.density[rows][:, columns], target, source, self.target_power, self.source_power)


def settle_scales(flow: Flow, sites: Sequence[str], duals: Mapping[str, str]) -> Flow:
    """The same function at the density-norm minimum of its scales.

    Args:
        flow: the layers.
        sites: the sites whose channels may be multiplied by any positive factor.
        duals: the sites that take the factors of one of these inverted, with that one.
    """
    blocks = _blocks(flow, sites, duals)
    sizes = {site: len(flow.channels[site].summed(np.zeros(flow.channels[site].size))) for site in sites}
    keep = _alive(blocks, {site: np.ones(size) for site, size in sizes.items()}, floor=0.0)
    scales = _balanced(blocks, keep)
    # What a channel carries is only comparable at the minimum, where no gauge is left.
    alive = _alive(_at(blocks, scales), keep, floor=DEAD)
    if any(not np.array_equal(alive[site], keep[site]) for site in sites):
        scales = _balanced(blocks, alive)
    up = {site: factors * alive[site] for site, factors in scales.items()}
    down = {site: alive[site] / factors for site, factors in scales.items()}
    for dual, site in duals.items():
        if site in up:
            up[dual], down[dual] = down[site], up[site]
    return flow.scaled(up, down)


def _blocks(flow: Flow, sites: Sequence[str], duals: Mapping[str, str]) -> list[_Block]:
    """Every weight once, summed over the sides that are not scaled: only what is needed stays in memory."""
    primary = {site: site for site in sites} | {dual: site for dual, site in duals.items() if site in sites}
    power = {site: -1 if site in duals else 1 for site in primary}
    blocks: list[_Block] = []
    for layer in flow.dense:
        target, source = primary.get(layer.target, ""), primary.get(layer.source, "")
        powers = power.get(layer.target, 1), power.get(layer.source, 1)
        if target or source:
            blocks.append(_Block(_reduced(layer, bool(target), bool(source)), target, source, *powers))
        if target:
            bias = layer.rows.summed(layer.bias**2 / len(layer.bias))
            blocks.append(_Block(bias[:, None], target, target_power=powers[0]))
    for norm in flow.affine:
        target, source = primary.get(norm.target, ""), primary.get(norm.source, "")
        powers = power.get(norm.target, 1), power.get(norm.source, 1)
        if target or source:
            blocks.append(_Block(_diagonal(norm, bool(target), bool(source)), target, source, *powers))
        if target:
            blocks.append(_Block((norm.shift**2 / len(norm.shift))[:, None], target, target_power=powers[0]))
    return blocks


def _reduced(layer: DenseView, by_target: bool, by_source: bool) -> Vector:
    if by_target and by_source:  # all of it stays in memory: the balance of two scaled sites needs every entry
        return layer.columns.summed(layer.rows.summed(layer.density()).T).T
    targets, sources = np.zeros(layer.rows.size), np.zeros(layer.columns.size)
    for box in layer.boxes():
        squares = over_taps(np.square(layer.part(box)))
        if by_target:
            targets[box.targets] += squares.sum(1)
        else:
            sources[box.sources] += squares.sum(0)
    if by_target:
        return layer.rows.summed(targets)[:, None] * layer.unit**2
    return layer.columns.summed(sources)[None, :] * layer.unit**2


def _diagonal(norm: AffineView, by_target: bool, by_source: bool) -> Vector:
    squares = norm.size**2 / len(norm.size)
    if by_target and by_source:
        return np.diag(squares)
    return squares[:, None] if by_target else squares[None, :]


def _at(blocks: Sequence[_Block], scales: Mapping[str, Vector]) -> list[_Block]:
    """The blocks at given scales."""
    found = []
    for block in blocks:
        up = scales[block.target] ** (2 * block.target_power) if block.target else np.ones(1)
        down = scales[block.source] ** (-2 * block.source_power) if block.source else np.ones(1)
        found.append(replace(block, density=block.density * up[:, None] * down[None, :]))
    return found


def _alive(blocks: Sequence[_Block], keep: Mapping[str, Vector], floor: float) -> dict[str, Vector]:
    """1 for the channels that carry more than `floor` times the median of their site, 0 for the others.

    The weights of the others are rounding errors on one side at least, and balancing would raise them to the size of
    the other. It is looked again until no more die of it.
    """
    kept = dict(keep)
    while True:
        norms = _norms([block.kept(kept) for block in blocks], kept)
        dying = False
        for site, (into, out_of) in norms.items():
            carried = np.sqrt(into * out_of)
            least = floor * float(np.median(carried[carried > 0])) if carried.any() else 0.0
            dead = (carried <= least) & ((into > 0) | (out_of > 0))
            dying |= bool(dead.any())
            kept[site] = np.where(dead, 0.0, kept[site])
        if not dying:
            return kept


def _norms(blocks: Sequence[_Block], keep: Mapping[str, Vector]) -> dict[str, tuple[Vector, Vector]]:
    """Site -> the squared norms [N] of what goes into and of what comes out of each of its channels.

    A site that nothing writes, or nothing reads, carries nothing.
    """
    norms = {site: (np.zeros(len(kept)), np.zeros(len(kept))) for site, kept in keep.items()}
    for block in blocks:
        if block.target:
            norms[block.target][0 if block.target_power > 0 else 1][:] += block.density.sum(1)
        if block.source:
            norms[block.source][1 if block.source_power > 0 else 0][:] += block.density.sum(0)
    return norms


def _balanced(blocks: Sequence[_Block], keep: Mapping[str, Vector]) -> dict[str, Vector]:
    """The scales at the minimum, 1 for channels with nothing on either side, which take no part."""
    blocks = [block.kept(keep) for block in blocks]
    alive = {site: (into > 0) & (out_of > 0) for site, (into, out_of) in _norms(blocks, keep).items()}
    places: dict[str, slice] = {}
    size = 0
    for site, mask in alive.items():
        places[site] = slice(size, size + int(mask.sum()))
        size = places[site].stop
    terms = [block.term(alive, places) for block in blocks]
    logs = balance(terms, list(places.values()), size)
    scales = {site: np.ones(len(mask)) for site, mask in alive.items()}
    for site, place in places.items():
        scales[site][alive[site]] = np.exp(logs[place])
    return scales
