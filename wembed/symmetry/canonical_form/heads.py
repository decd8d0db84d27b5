"""The canonical form of heads and of low ranks: where any matrix, or any rotation of a plane, may pass.

What a head computes is a product, of queries and keys or of values and outputs; its singular value decomposition is one
for all ways to write it. So each side gets the singular vectors times the roots of the singular values, in their order,
known up to signs. Where a rotary embedding stands between, one complex number for each plane is free: its size makes
queries and keys equally large, its phase makes the sum of their squares a positive number, up to a sign again. The
phase is not continuous where that sum vanishes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry.action.channels import Channels
from wembed.symmetry.action.sides import Sides
from wembed.symmetry.canonical_form.gauge import DEAD
from wembed.symmetry.canonical_form.views import DenseView, Flow, Vector, over_taps

_TIMES = 8  # how much larger than a tile a block is: each has to be taller than wide, or nothing is gained


def moved_biases(flow: Flow, sides: Sides) -> Flow:
    """The same function without the biases of keys, and with those of values in the biases of what reads them."""
    dense = list(flow.dense)
    for site in sides.spec.sites:
        if sides.shifts_values(site):
            bias = sum((view.bias for view in dense if view.target == site), np.zeros(flow.channels[site].size))
            dense = [_with_bias(view, _passed_on(view, bias)) if view.source == site else view for view in dense]
        if sides.shifts_values(site) or sides.shifts_keys(site):
            dense = [_with_bias(view, np.zeros(view.rows.size)) if view.target == site else view for view in dense]
    return replace(flow, dense=tuple(dense))


def _with_bias(view: DenseView, bias: Vector) -> DenseView:
    """A layer with another bias; how it was divided before means nothing, so it is one part."""
    return replace(view, bias=bias, bias_size=np.abs(bias))


def _passed_on(view: DenseView, constant: Vector) -> Vector:
    """The bias of a layer that need not be given a constant [S] that is added to its source."""
    return view.bias + _of_constant(view, constant).effect if constant.any() else view.bias


def with_constant_source(view: DenseView, constant: Vector) -> DenseView:
    """A layer that need not be given a constant [S] that is added to its source."""
    if not constant.any():
        return view
    found = _of_constant(view, constant)
    return replace(view, bias=view.bias + found.effect, bias_size=view.bias_size + found.sizes)


@dataclass(frozen=True)
class _OfConstant:
    """What a constant source adds to each target, and the sum of the sizes of what it adds up from."""

    effect: Vector
    sizes: Vector


def _of_constant(view: DenseView, constant: Vector) -> _OfConstant:
    found = _OfConstant(np.zeros(view.rows.size), np.zeros(view.rows.size))
    for box in view.boxes():
        weight, here = over_taps(view.part(box)), constant[box.sources]
        found.effect[box.targets] += weight @ here
        found.sizes[box.targets] += np.abs(weight) @ np.abs(here)
    return found


def settle_heads(flow: Flow, sides: Sides) -> Flow:
    """The same function with all heads and low ranks in their canonical form."""
    known = flow.sites
    for site in sides.spec.sites.values():
        scale = "none" if site.dual or site.name not in known else sides.scale(site.name)
        if scale == "linear":
            flow = _mixed(flow, site.name, sides.duals[site.name])
        elif scale == "rotary":
            flow = _turned(flow, sides, site.name)
    return flow


def _mixed(flow: Flow, site: str, duals: Sequence[str]) -> Flow:
    """A site whose product of both sides is in its singular value decomposition."""
    sides: tuple[list[Iterator[Vector]], list[Iterator[Vector]]] = ([], [])
    for view in flow.dense:
        if view.target in (site, *duals):
            sides[view.target in duals].append(_targets(view))
        if view.source in (site, *duals):
            sides[view.source not in duals].append(_sources(view))
    channels = flow.channels[site]
    one, other = (_triangle(chain(*side), channels.shape[channels.own[-1]]) for side in sides)
    first, second = _matrices(one, other)
    dense = []
    for view in flow.dense:
        if view.target in (site, *duals):
            view = view.mixed_targets(second if view.target in duals else first)
        if view.source in (site, *duals):
            view = view.mixed_sources(first if view.source in duals else second)
        dense.append(view)
    return replace(flow, dense=tuple(dense))


def _matrices(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrices [P, d, d] that bring two sides, given as triangles [P, k, d], into the form with equal norms."""
    left, values, right = np.linalg.svd(one @ other.transpose(0, 2, 1), full_matrices=False)
    alive = values > DEAD * (np.median(values[values > 0]) if (values > 0).any() else 1.0)
    roots = np.where(alive, 1.0 / np.sqrt(np.where(alive, values, 1.0)), 0.0)[:, :, None]
    found = roots * (right @ other), roots * (left.transpose(0, 2, 1) @ one)
    rows = one.shape[2] - roots.shape[1]
    first, second = (np.pad(matrix, ((0, 0), (0, rows), (0, 0))) for matrix in found)
    return first, second


def _targets(view: DenseView) -> Iterator[Vector]:
    """What a layer's targets [P, n, d] are the columns of, bias included, in the objective's units and in blocks."""
    for box in view.boxes("target", _TIMES):
        weight = view.part(box) * view.unit
        yield _columns(view.rows, weight.reshape(len(weight), -1))
    yield _columns(view.rows, view.bias[:, None] / np.sqrt(view.rows.size))


def _sources(view: DenseView) -> Iterator[Vector]:
    """The same for a layer's sources."""
    for box in view.boxes("source", _TIMES):
        weight = view.part(box) * view.unit
        yield _columns(view.columns, weight.transpose(1, 0, 2).reshape(weight.shape[1], -1))


def _columns(channels: Channels, values: Vector) -> Vector:
    """Values [N, n] of channels as columns of each group's matrix, [P, n x repeats, d]."""
    grouped = channels.grouped(values)
    return grouped.reshape(*grouped.shape[:2], -1).transpose(0, 2, 1)


def _triangle(blocks: Iterable[Vector], width: int) -> Vector:
    """R [P, k, d] of the QR decomposition of all blocks [P, n, d], one below the other; zeros where there are none."""
    found = np.zeros((1, 1, width))
    for number, block in enumerate(blocks):
        rows = np.concatenate([found, block], 1) if number else block
        found = np.asarray(np.linalg.qr(rows, mode="r"))
    return found


@dataclass(frozen=True)
class _Planes:
    """What is known of a rotary site's planes: the sums of absolute squares and of squares, by its own channels."""

    energy: Vector
    square: NDArray[np.complex128]


def _turned(flow: Flow, sides: Sides, site: str) -> Flow:
    """A rotary site and its duals in the canonical form."""
    views = {view.name: view for view in flow.dense}
    pairs = {
        name: [(views[a.name], views[b.name]) for a, b in sides.halves(name)] for name in (site, *sides.duals[site])
    }
    own = _planes(pairs[site])
    others = _planes([pair for name in sides.duals[site] for pair in pairs[name]])
    carried = np.sqrt(own.energy * others.energy)
    alive = carried > DEAD * (np.median(carried[carried > 0]) if (carried > 0).any() else 1.0)
    sizes = np.where(alive, others.energy, 1.0) / np.where(alive, own.energy, 1.0)
    squares = np.sqrt(sizes) * own.square + others.square / np.sqrt(sizes)
    lengths = np.abs(squares)
    directions = np.where(lengths > 0, squares, 1.0) / np.where(lengths > 0, lengths, 1.0)
    turn = np.asarray(alive * sizes**0.25 * np.sqrt(directions.conj()), dtype=np.complex128)
    back = np.asarray(alive / np.where(alive, turn, 1.0).conj(), dtype=np.complex128)
    for name, group in pairs.items():
        for real, imaginary in group:
            factors = turn if name == site else back
            views[real.name] = real.turned(factors, imaginary, is_imaginary=False)
            views[imaginary.name] = imaginary.turned(factors, real, is_imaginary=True)
    return replace(flow, dense=tuple(views[view.name] for view in flow.dense))


def _planes(pairs: Sequence[tuple[DenseView, DenseView]]) -> _Planes:
    energy, square = np.zeros(1), np.zeros(1, dtype=np.complex128)
    for real, imaginary in pairs:
        products = np.zeros((3, real.rows.size))  # of the real parts, of the imaginary ones, of one with the other
        for box in real.boxes():
            one, other = (view.part(box).reshape(len(real.bias[box.targets]), -1) for view in (real, imaginary))
            for number, (left, right) in enumerate(((one, one), (other, other), (one, other))):
                products[number, box.targets] += np.einsum("ts,ts->t", left, right)
        products *= real.unit**2
        biases = np.stack([real.bias**2, imaginary.bias**2, real.bias * imaginary.bias])
        own, others, both = map(real.rows.summed, products + biases / real.rows.size)
        energy = energy + own + others
        square = square + own - others + 2j * both
    return _Planes(energy, square)
