"""The directions of weight space along which a network's function does not change, to first order, by numbers.

Their number is that of all weights less the rank of the outputs' Jacobian on many inputs, at random weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from wembed.symmetry import Action, SymmetrySpec, apply_action
from wembed.symmetry.generators import generators

MORE = 20  # more rows of the Jacobian than there are weights
RANK = 1e-9  # a singular value below this part of the largest is none
STEP = 1e-5  # of a numerical derivative

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class NullSpace:
    """What was measured at one point of weight space.

    Args:
        jacobian: [rows, weights], random combinations of all outputs; every column of norm 1, or 0.
        lengths: of the columns before that.
        values: singular values of it, falling.
    """

    jacobian: Matrix
    lengths: Matrix
    values: Matrix

    @property
    def dimension(self) -> int:
        """Of the null space."""
        return self.jacobian.shape[1] - int((self.values > RANK * self.values[0]).sum())

    @property
    def gap(self) -> float:
        """By how much the smallest singular value that counts is larger than the largest that does not."""
        kept, rest = self.values[: -self.dimension or None], self.values[len(self.values) - self.dimension :]
        return float(kept[-1] / max(rest.max(initial=0.0), 1e-16 * kept[0]))

    def leaves(self, directions: Matrix) -> float:
        """How far directions [weights, n] of norm 1 lead the outputs away."""
        moved = self.jacobian @ (directions * self.lengths[:, None])
        return float(np.linalg.norm(moved, axis=0).max(initial=0.0) / self.values[0])


def null_space(module: nn.Module, names: list[str], *inputs: Tensor) -> NullSpace:
    """That of a module in float64 for some of its tensors; inputs are many at once."""
    state = module.state_dict()
    weights = {name: state[name].detach().clone().requires_grad_() for name in names}
    own = list(weights.values())
    found = functional_call(module, weights, inputs)
    outputs = torch.cat([output.flatten() for output in _flat(found)])
    rows, generator = [], torch.Generator().manual_seed(0)
    for _ in range(sum(value.numel() for value in own) + MORE):
        mix = torch.randn(outputs.shape, generator=generator, dtype=outputs.dtype) / len(outputs) ** 0.5
        gradients = torch.autograd.grad(outputs, own, mix, retain_graph=True, allow_unused=True)
        rows.append(
            torch.cat([_filled(gradient, value).flatten() for gradient, value in zip(gradients, own, strict=True)])
        )
    jacobian = torch.stack(rows).numpy()
    lengths = np.linalg.norm(jacobian, axis=0)
    jacobian = jacobian / np.where(lengths > RANK * lengths.max(), lengths, np.inf)
    return NullSpace(jacobian, lengths, np.linalg.svd(jacobian, compute_uv=False))


def _flat(found) -> list[Tensor]:
    if isinstance(found, Tensor):
        return [found]
    return [leaf for value in (found.values() if isinstance(found, dict) else found) for leaf in _flat(value)]


def _filled(gradient: Tensor | None, value: Tensor) -> Tensor:
    return torch.zeros_like(value) if gradient is None else gradient


def claimed_directions(spec: SymmetrySpec, names: list[str], module: nn.Module) -> Matrix:
    """The directions [weights, n] of norm 1 that a spec's generators lead in, one for each of their dimensions."""
    arrays = {name: value.detach().numpy() for name, value in module.state_dict().items()}
    columns = []
    for there, back in _small(spec):
        ends = [dict(apply_action(action, spec, arrays.__getitem__)) for action in (there, back)]
        columns.append(np.concatenate([(ends[0][name] - ends[1][name]).ravel() for name in names]))
    directions = np.stack(columns, 1) if columns else np.zeros((sum(arrays[name].size for name in names), 0))
    return directions / np.linalg.norm(directions, axis=0)


def _small(spec: SymmetrySpec) -> Iterator[tuple[Action, Action]]:
    """A small step along each dimension of each generator, and the same back."""
    for generator in generators(spec):
        name, size = generator.site, spec.size_of(spec.sites[generator.site].axis)
        for index in range(generator.dimension):
            yield tuple(_step(generator.kind, name, size, index, generator.dimension, step) for step in (STEP, -STEP))


def _step(kind: str, site: str, size: int, index: int, dimension: int, step: float) -> Action:
    nothing = Action({}, {})
    unit = step * np.eye(dimension)[index]
    match kind:
        case "scale":
            return Action({}, {site: 1.0 + unit})
        case "mix":
            last = dimension // size
            matrices = unit.reshape(size // last, last, last) + np.eye(last)
            return replace(nothing, mixes={site: matrices})
        case "turn":
            return replace(nothing, turns={site: 1.0 + unit[:size] + 1j * unit[size:]})
        case _:
            return replace(nothing, shifts={site: unit})
