"""A pool in; the steps of an epoch, and the loss of each, out."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from wembed.device import to_device
from wembed.training.draws import draw_labelled, draw_pairs
from wembed.training.kin import Numbers
from wembed.training.objectives import accuracy_divergence, contrastive
from wembed.training.options import TrainOptions
from wembed.training.pool import Pool, Views

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

    def loss(self, found: Tensor, pool: Pool, temperature: float) -> Tensor:
        """The mean loss over what was found for the networks: vectors [B, D], or logits of accuracies [B, 1]."""
        numbers = to_device(torch.from_numpy(self.numbers), pool.device)
        if self.objective == "contrastive":
            return contrastive(found, pool.related(numbers), temperature)
        return accuracy_divergence(found[:, 0], pool.accuracy[numbers])


def objectives_of(options: TrainOptions) -> tuple[Objective, ...]:
    """What is made small."""
    known: dict[str, tuple[Objective, ...]] = {"kinship": ("contrastive",), "accuracy": ("accuracy",)}
    return known.get(options.objective, ("contrastive", "accuracy"))


def training_steps(pool: Pool, options: TrainOptions, generator: np.random.Generator) -> list[Step]:
    """One pass over all runs in pairs, then one over all networks of known accuracy."""
    return _steps(pool, options, generator, "faithful", 1)


def validation_steps(pool: Pool, options: TrainOptions) -> list[Step]:
    """One to four pairs of every run, always the same, and all networks of known accuracy as they are."""
    draws = min(_VALIDATION_DRAWS, math.ceil(_VALIDATION_PAIRS / max(1, len(pool.kin.runs))))
    return _steps(pool, options, np.random.default_rng([options.seed, 2]), "none", draws)


def _steps(pool: Pool, options: TrainOptions, generator: np.random.Generator, views: Views, draws: int) -> list[Step]:
    steps: list[Step] = []
    if "contrastive" in objectives_of(options):
        drawn = [pairs for _ in range(draws) for pairs in draw_pairs(pool, options.batch_size, generator)]
        steps += [Step("contrastive", pairs.numbers, "all") for pairs in drawn]
    if "accuracy" in objectives_of(options):
        steps += [Step("accuracy", numbers, views) for numbers in draw_labelled(pool, _LABELLED, generator)]
    return steps
