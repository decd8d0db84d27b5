"""Averages and their endpoints in; the networks that a search may reach from there out.

Two ways lead on, both measured in the endpoints' distance: every neuron may take more of one endpoint and less of
another, never more than all of it; and every tensor may leave the space between the endpoints by a small step.

Legend: B averages, J endpoints beside the first, T neurons along the first axis of a tensor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.merging.combine import Merged
from wembed.merging.tensors import Tensors

_RADIUS = 0.1  # of the endpoints' distance, tensor by tensor, by which a network may leave the space between them
_SHARE_RATE = 0.025  # of Adam: a neuron's share of an endpoint, for each step
_STEP_RATE = 0.01  # the same for entries, in root mean squares of the endpoints' difference
_TINY = 1e-30


@dataclass(frozen=True)
class Region:
    """Where B averages may go; the tensors that a search moves are its own, and change.

    Args:
        start: the averages, [B, ...] by tensor.
        ways: from the first endpoint to each other, [B, J, ...].
        lengths: root mean square of the ways over all entries, [B, 1 ...].
        weights: of the endpoints beside the first, [J].
        shares: what each neuron takes beyond its weight, [B, J, T].
        steps: what each entry moves beside that, in units of `lengths`, [B, ...].
    """

    start: Mapping[str, Tensor]
    ways: Mapping[str, Tensor]
    lengths: Mapping[str, Tensor]
    weights: Tensor
    shares: Mapping[str, Tensor]
    steps: Mapping[str, Tensor]

    @classmethod
    def around(cls, averages: Sequence[Merged], names: Sequence[str], device: torch.device) -> Self:
        """What can be reached from averages of one structure.

        Args:
            averages: B of them, of as many networks each.
            names: of the tensors that move.
            device: where to search.
        """
        start = {name: _stacked([average.common[name] for average in averages], device) for name in names}
        ways = {name: _ways(averages, name, device) for name in names}
        lengths = {
            name: way.square().flatten(1).mean(1).sqrt().reshape(-1, *[1] * (way.ndim - 2))
            for name, way in ways.items()
        }
        shares = {name: torch.zeros(way.shape[:3], device=device, requires_grad=True) for name, way in ways.items()}
        steps = {name: torch.zeros_like(values, requires_grad=True) for name, values in start.items()}
        weights = torch.tensor(averages[0].weights[1:], device=device)
        return cls(start, ways, lengths, weights, shares, steps)

    @property
    def variables(self) -> list[Tensor]:
        """All that a search moves."""
        return [*self.shares.values(), *self.steps.values()]

    def optimizer(self) -> torch.optim.Optimizer:
        """What moves it."""
        shares = {"params": list(self.shares.values()), "lr": _SHARE_RATE}
        return torch.optim.Adam([shares, {"params": list(self.steps.values()), "lr": _STEP_RATE}])

    def tensors(self) -> dict[str, Tensor]:
        """The networks where the search is, [B, ...] by tensor."""
        found = {}
        for name, start in self.start.items():
            shares = self.shares[name].reshape(*self.shares[name].shape, *[1] * (start.ndim - 2))
            found[name] = start + (shares * self.ways[name]).sum(1) + self.steps[name] * self.lengths[name]
        return found

    def networks(self, averages: Sequence[Merged]) -> list[Tensors]:
        """The same as tensors of each network, those that do not move included."""
        moved = {name: values.detach().double().cpu().numpy() for name, values in self.tensors().items()}
        return [
            {**average.common, **{name: values[place] for name, values in moved.items()}}
            for place, average in enumerate(averages)
        ]

    @torch.no_grad()
    def clip(self) -> None:
        """Back to where a search may go."""
        for shares in self.shares.values():
            weights = self.weights[:, None]
            shares.copy_((weights + shares).clamp(0.0, 1.0) - weights)
        for steps in self.steps.values():
            size = steps.flatten(1).square().mean(1).sqrt()
            steps.mul_((_RADIUS / (size + _TINY)).clamp(max=1.0).reshape(-1, *[1] * (steps.ndim - 1)))


def _ways(averages: Sequence[Merged], name: str, device: torch.device) -> Tensor:
    """From the first endpoints to the others, [B, J, ...]."""
    found = []
    for average in averages:
        first, *others = average.aligned.networks
        found.append(np.stack([other[name] - first[name] for other in others]))
    return _stacked(found, device)


def _stacked(values: Sequence[NDArray[np.float64]], device: torch.device) -> Tensor:
    return torch.from_numpy(np.stack(values)).float().to(device)
