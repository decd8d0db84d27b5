"""Training and validation examples in; the regression that numbers and classes are predicted by, and its domain, out.

Heads are fitted on training runs. One half of the validation runs chooses among them; the other half is for calibrating
and has no say in it. Legend: M checkpoints, T targets.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.device import one_thread
from wembed.prediction.choice import HeldOut, chosen_head
from wembed.prediction.domain import Domain, fit_domain
from wembed.prediction.examples import Examples, Kinds, Vectors
from wembed.prediction.heads import Head, Outputs
from wembed.prediction.sides import Halves
from wembed.prediction.space import Space
from wembed.prediction.tasks import Placed


@dataclass(frozen=True)
class Limits:
    """What a number can be.

    Args:
        low: its least value.
        high: its greatest.
    """

    low: float = 0.0
    high: float = 1.0

    def cut(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values cut to it."""
        return np.clip(values, self.low, self.high)


@dataclass(frozen=True)
class Regression:
    """A fitted regression; make one with `fit_regression`.

    Args:
        space: of the training features.
        head: on places in it.
        domain: what it was fitted for.
    """

    space: Space
    head: Head
    domain: Domain

    def outputs(self, vectors: Vectors) -> Outputs:
        """What the head says of embeddings [M, D], [M, T]."""
        return self.head.predict(self.space(vectors))

    def holds(self, vectors: Vectors, kinds: Kinds | None) -> NDArray[np.bool_]:
        """Whether networks are in domain, [M]; see `Domain.holds`."""
        return self.domain.holds(self.space(vectors), kinds)


def fit_regression(
    train: Examples, validation: Examples, targets: Callable[[Examples], Outputs], limits: Limits, seed: int
) -> Regression:
    """Fits heads, chooses among them and finds out what they are good for.

    Args:
        train: what heads are fitted on.
        validation: other runs, of which a half chooses.
        targets: of examples, [N, T].
        limits: of these.
        seed: of trees and networks.
    """
    choosing = Halves.of(validation).choosing
    with one_thread():
        space = Space.of(train.vectors)
        placed, held_out = (Placed(space(examples.vectors), examples) for examples in (train, validation))
        judge = HeldOut(space(choosing.vectors), targets(choosing), choosing.weights(), limits.low, limits.high)
        head = chosen_head(placed.places, targets(train), judge, seed)
        return Regression(space, head, fit_domain(placed, held_out))
