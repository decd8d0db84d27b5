"""Averages and a goal in; the networks that gradients through the encoder lead to out.

All averages of one structure move at once, each for itself: what one finds depends on no other. Of all networks that
were looked at with nothing held still, the nearest to the goal is kept.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from wembed.checkpoint import Checkpoint
from wembed.merging.combine import Merged
from wembed.merging.embedding.goals import Goal
from wembed.merging.embedding.region import Region
from wembed.merging.embedding.seen import Seen
from wembed.merging.tensors import Tensors, as_checkpoint

_MOST_STEPS = 60  # of Adam
_REFRESH = 15  # steps between two looks at what is held still
_GAIN = 0.01  # by which a network's goal must come nearer from one look to the next, else it stays


def search(averages: Sequence[Merged], likes: Sequence[Checkpoint], goal: Goal) -> list[Tensors]:
    """The tensors of averages after descending to a goal, in common scales.

    Args:
        averages: B of them, of one structure.
        likes: the first endpoint of each.
        goal: of all.
    """
    spec, device = averages[0].aligned.spec, goal.encoder.device
    region = Region.around(averages, _names(averages[0]), device)
    optimizer = region.optimizer()
    moving = torch.ones(len(averages), dtype=torch.bool, device=device)
    least = torch.full((len(averages),), torch.inf, device=device)
    best = region.networks(averages)
    for count in range(_MOST_STEPS + 1):
        if count % _REFRESH == 0:
            now = region.networks(averages)
            seen = Seen.of([as_checkpoint(*pair) for pair in zip(now, likes, strict=True)], spec, device)
        miss = goal.miss(seen.at(region.tensors()))
        if count % _REFRESH == 0:
            better = miss.detach() < least
            best = [new if is_better else old for new, old, is_better in zip(now, best, better.tolist(), strict=True)]
            moving = moving & (miss.detach() < least - _GAIN)
            least = torch.minimum(least, miss.detach())
            if count == _MOST_STEPS or not moving.any():
                break
        _step(region, optimizer, miss, moving)
    return best


def _step(region: Region, optimizer: torch.optim.Optimizer, miss: Tensor, moving: Tensor) -> None:
    """Move those that still move by one step."""
    before = [variable.detach().clone() for variable in region.variables]
    # Only the region gets gradients: the encoder is not to be trained.
    gradients = torch.autograd.grad(miss.sum(), region.variables, allow_unused=True, materialize_grads=True)
    for variable, gradient in zip(region.variables, gradients, strict=True):
        variable.grad = gradient.nan_to_num(0.0)  # the norm of a channel that carries nothing has no slope
    optimizer.step()
    region.clip()
    with torch.no_grad():
        for variable, old in zip(region.variables, before, strict=True):
            variable.copy_(torch.where(moving.reshape(-1, *[1] * (variable.ndim - 1)), variable, old))


def _names(average: Merged) -> list[str]:
    """The weights and biases of dense layers; norms stay as they are."""
    dense = [layer for layer in average.aligned.spec.layers if layer.kind == "dense"]
    return [layer.tensors[role] for role in ("weight", "bias") for layer in dense if role in layer.tensors]
