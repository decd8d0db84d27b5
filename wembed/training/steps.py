"""A pool in; the steps of an epoch, and the loss of each, out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from wembed.training.draws import draw_labelled, draw_pairs
from wembed.training.kin import Numbers
from wembed.training.objectives import accuracy_divergence, contrastive
from wembed.training.options import TrainOptions
from wembed.training.pool import Part, Pool, Views

Objective = Literal["contrastive", "accuracy"]

_LABELLED = 32  # networks per step towards their accuracies
_VALIDATION_PAIRS = 256  # at least, if that takes no more than four of each run
_VALIDATION_DRAWS = 4


@dataclass(frozen=True)
class Step:
    """Some networks, and what is made small over them.

    Args:
        objective: InfoNCE between the halves of them, or the divergence of their accuracies.
        numbers: of the networks; of pairs the first ones, then the second ones.
        views: which views of them are taken.
    """

    objective: Objective
    numbers: Numbers
    views: Views

    def loss(self, module: nn.Module, pool: Pool, temperature: float, generator: np.random.Generator) -> Tensor:
        """The mean loss over a random view of each of the networks."""
        parts = pool.draw(self.numbers, self.views, generator)
        if self.objective == "contrastive":
            related = torch.from_numpy(pool.kin.related(self.numbers)).to(pool.accuracy.device)
            return contrastive(_in_order([module(part.networks) for part in parts], parts), related, temperature)
        read = _in_order([module.accuracy_logits(part.networks) for part in parts], parts)  # type: ignore[operator]
        return accuracy_divergence(read, pool.accuracy[torch.from_numpy(self.numbers).to(read.device)])


def training_steps(pool: Pool, options: TrainOptions, generator: np.random.Generator) -> list[Step]:
    """One pass over all runs in pairs, then one over all networks of known accuracy."""
    return _steps(pool, options, generator, "faithful", 1)


def validation_steps(pool: Pool, options: TrainOptions) -> list[Step]:
    """One to four pairs of every run, always the same, and all networks of known accuracy as they are."""
    draws = min(_VALIDATION_DRAWS, math.ceil(_VALIDATION_PAIRS / max(1, len(pool.kin.runs))))
    return _steps(pool, options, np.random.default_rng([options.seed, 2]), "none", draws)


def _steps(pool: Pool, options: TrainOptions, generator: np.random.Generator, views: Views, draws: int) -> list[Step]:
    steps: list[Step] = []
    if options.objective != "accuracy":
        drawn = [pairs for _ in range(draws) for pairs in draw_pairs(pool, options.batch_size, generator)]
        steps += [Step("contrastive", pairs.numbers, "all") for pairs in drawn]
    if options.objective != "kinship":
        steps += [Step("accuracy", numbers, views) for numbers in draw_labelled(pool, _LABELLED, generator)]
    return steps


def _in_order(found: Sequence[Tensor], parts: Sequence[Part]) -> Tensor:
    """What a module found for parts, in the order in which their networks were asked for."""
    order = np.argsort(np.concatenate([part.places for part in parts]))
    return torch.cat(list(found))[torch.from_numpy(order).to(found[0].device)]
