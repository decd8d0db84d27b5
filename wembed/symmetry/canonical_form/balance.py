"""The density-norm minimum: the one choice of positive scales that every gauge of a network leads to.

Minimised over log-scales z is the sum, over blocks, of  A[t, s] exp(2 z_t - 2 z_s),  where A holds the squares of the
density-normalised weights: mean((fan_in W)^2) per block, mean(b^2) per bias, read from a constant. It is strictly
convex where every site lies on a non-zero path between fixed ends (matrix balancing: Osborne 1960), so Newton finds
the one minimum; and means over fan_in W do not change when channels are duplicated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_WARM_UP_ROUNDS = 3  # of Osborne's closed-form update, site by site
_NEWTON_STEPS = 60
_CONJUGATE_STEPS = 200
_TOLERANCE = 1e-11  # of a log-scale
_LONGEST_STEP = 2.0  # in log-scale, so that exp does not overflow far from the minimum


@dataclass(frozen=True)
class Term:
    """One block of the objective.

    Args:
        density: A [T, S], non-negative; [T, 1] for a bias.
        target: where the targets' log-scales stand in z, or None if they are fixed.
        source: the same for the sources.
        target_power: 1, or -1 where the targets take their factors inverted.
        source_power: the same for the sources.
    """

    density: Vector
    target: slice | None
    source: slice | None
    target_power: int = 1
    source_power: int = 1

    def value(self, z: Vector) -> Vector:
        """A [T, S] at the scales z."""
        up = 2.0 * self.target_power * z[self.target] if self.target else np.zeros(1)
        down = 2.0 * self.source_power * z[self.source] if self.source else np.zeros(1)
        return self.density * np.exp(up)[:, None] * np.exp(-down)[None, :]


def balance(terms: Sequence[Term], sites: Sequence[slice], size: int) -> Vector:
    """The log-scales z [size] at the minimum.

    Args:
        terms: the objective. Every channel must have something non-zero on both of its sides.
        sites: the part of z that belongs to each site; together they cover it.
        size: the number of log-scales.
    """
    z = np.zeros(size)
    beside = [[term for term in terms if site in (term.target, term.source)] for site in sites]
    for _ in range(_WARM_UP_ROUNDS):
        for site, near in zip(sites, beside, strict=True):
            into, out_of = _flow(near, [term.value(z) for term in near], size)
            z[site] += 0.25 * np.log(out_of[site] / into[site])
    for _ in range(_NEWTON_STEPS if size else 0):
        values = [term.value(z) for term in terms]
        into, out_of = _flow(terms, values, size)
        step = _newton_step(terms, values, 2.0 * (into - out_of), 4.0 * (into + out_of))
        longest = float(np.abs(step).max())
        z += step * min(1.0, _LONGEST_STEP / longest) if longest else 0.0
        if longest < _TOLERANCE:
            break
    return z


def _flow(terms: Sequence[Term], values: Sequence[Vector], size: int) -> tuple[Vector, Vector]:
    """What flows into and out of every channel: the row sums and the column sums of all blocks."""
    into, out_of = np.zeros(size), np.zeros(size)
    for term, value in zip(terms, values, strict=True):
        if term.target:
            (into if term.target_power > 0 else out_of)[term.target] += value.sum(1)
        if term.source:
            (out_of if term.source_power > 0 else into)[term.source] += value.sum(0)
    return into, out_of


def _newton_step(terms: Sequence[Term], values: Sequence[Vector], gradient: Vector, diagonal: Vector) -> Vector:
    """Minus the inverse Hessian times the gradient, by conjugate gradients with the diagonal as preconditioner."""
    step = np.zeros_like(gradient)
    residual = -gradient
    scaled = residual / diagonal
    direction, power = scaled, float(residual @ scaled)
    goal = power * 1e-6 * min(1.0, power)
    for _ in range(_CONJUGATE_STEPS):
        if power <= goal:
            break
        curved = diagonal * direction - 4.0 * _coupling(terms, values, direction)
        curvature = float(direction @ curved)
        if curvature <= 0.0:  # flat: a site between its own channels alone, whose factors cancel
            break
        length = power / curvature
        step += length * direction
        residual -= length * curved
        scaled = residual / diagonal
        previous, power = power, float(residual @ scaled)
        direction = scaled + (power / previous) * direction
    return step


def _coupling(terms: Sequence[Term], values: Sequence[Vector], direction: Vector) -> Vector:
    """The Hessian's part between different sites, over 4: each block carries a direction both ways."""
    out = np.zeros_like(direction)
    for term, value in zip(terms, values, strict=True):
        if term.target and term.source:
            sign = term.target_power * term.source_power
            out[term.target] += sign * (value @ direction[term.source])
            out[term.source] += sign * (direction[term.target] @ value)
    return out
