"""A step in; the module's weights moved by its gradient.

The gradient of a step comes from the vectors of all its networks, those of other processes included, so these are found
first. Where memory suffices, what it takes to go back is kept; else the step's networks are run in pieces, and each
again on the way back (Gao et al., Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, 2021): the
gradient is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wembed.device import to_device
from wembed.training.pieces import Piece, Share, cut, networks_of
from wembed.training.pool import Part, Pool
from wembed.training.runner import Runner
from wembed.training.steps import Step

_CLIP = 1.0  # norm of the gradient


@dataclass(frozen=True)
class Descent:
    """What moves a module's weights.

    Args:
        runner: of the module.
        optimizer: of its parameters.
        share: how many parts a step's networks are run in.
        temperature: of InfoNCE.
    """

    runner: Runner
    optimizer: torch.optim.Optimizer
    share: Share
    temperature: float

    def step(self, step: Step, parts: Sequence[Part], pool: Pool) -> Tensor:
        """One step down the gradient; its loss, and the norm of its gradient before clipping, [2].

        Nothing is read off the device here: the processor goes on while that works.
        """
        runner, objective = self.runner, step.objective
        pieces = runner.pieces(parts, objective)
        kept: list[Tensor] = []

        def ahead(count: int) -> list[tuple[Piece, Tensor]]:
            kept.clear()
            if count == 1:
                kept.extend(runner.found(piece, objective) for piece in pieces)
                return [(piece, found.detach()) for piece, found in zip(pieces, kept, strict=True)]
            with torch.no_grad():
                return [(piece, runner.found(piece, objective)) for piece in cut(pieces, count)]

        found = self.share.fitted(ahead, networks_of(pieces))
        vectors = runner.of_all(found, objective, pool.owner[step.numbers]).requires_grad_()
        loss = step.loss(vectors, pool, self.temperature)
        (gradient,) = torch.autograd.grad(loss, vectors)

        def back(count: int) -> None:
            self.optimizer.zero_grad()
            if count == 1:
                torch.autograd.backward(kept, [_of(piece, gradient) for piece in pieces])
                return
            kept.clear()
            for piece in cut(pieces, count):
                runner.found(piece, objective).backward(_of(piece, gradient))  # type: ignore[no-untyped-call]

        self.share.fitted(back, networks_of(pieces))
        runner.ranks.add_up_gradients(runner.trained(parts, objective))
        norm = nn.utils.clip_grad_norm_(runner.module.parameters(), _CLIP)
        self.optimizer.step()
        return torch.stack([loss.detach(), norm])

    def loss(self, step: Step, parts: Sequence[Part], pool: Pool) -> Tensor:
        """The loss of a step that is not taken."""
        pieces = self.runner.pieces(parts, step.objective)

        def ahead(count: int) -> list[tuple[Piece, Tensor]]:
            return [(piece, self.runner.found(piece, step.objective)) for piece in cut(pieces, count)]

        found = self.share.fitted(ahead, networks_of(pieces))
        return step.loss(self.runner.of_all(found, step.objective, pool.owner[step.numbers]), pool, self.temperature)


def _of(piece: Piece, gradient: Tensor) -> Tensor:
    return gradient[to_device(torch.from_numpy(piece.places), gradient.device)]
