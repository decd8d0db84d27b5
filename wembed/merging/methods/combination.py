"""A way to combine, with its numbers, and one tensor of every network in; the merged tensor out."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from wembed.errors import UsageError
from wembed.merging.methods.blocks import Block, Blocks, InMemory, Values
from wembed.merging.methods.dare import dare, mask_generators
from wembed.merging.methods.linear import linear
from wembed.merging.methods.slerp import slerp
from wembed.merging.methods.stock import stock
from wembed.merging.methods.task import task
from wembed.merging.methods.ties import ties
from wembed.merging.names import FormulaName

METHODS: tuple[FormulaName, ...] = get_args(FormulaName)
NEED_BASE: frozenset[FormulaName] = frozenset({"ties", "dare", "task", "stock"})
DENSITY = 0.5  # between the papers' .2 (TIES) and .1 (DARE) and mergekit's default, which keeps all
SCALE = 1.0  # of mergekit, and of TIES

_PAIR = 2
_WITHOUT_BASE = ("linear", "slerp")


@dataclass(frozen=True)
class Combination:
    """How the values of networks are combined.

    Args:
        method: see its function; `stock` takes no numbers.
        weights: one for each network, without the base. Of `linear` and `slerp` only the proportions matter. Task
            vectors are multiplied by theirs. None: all count alike, task vectors with 1.
        t: the share of the second of two, instead of weights; `linear` and `slerp` only.
        density: the share of each task vector that `ties` and `dare` keep; None for `DENSITY`.
        scale: what merged task vectors are multiplied by; None for `SCALE`.
        seed: of what `dare` drops.

    Raises:
        UsageError: a number is out of its range, or is not for this method.
    """

    method: FormulaName = "linear"
    weights: tuple[float, ...] | None = None
    t: float | None = None
    density: float | None = None
    scale: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers once."""
        if self.method not in METHODS:
            raise UsageError(f"unknown method {self.method!r}", f"known are {', '.join(METHODS)}")
        numbers = [*(self.weights or ()), self.t or 0.0, self.scale or 0.0]
        if not np.isfinite(numbers).all():
            raise UsageError("weights, t and scale must be finite")
        if not math.isfinite(sum(map(abs, self.weights or ()))):
            raise UsageError("weights must add up to a finite number", "divide all of them by one number")
        if self.density is not None and not 0.0 < self.density <= 1.0:
            raise UsageError(f"density must be more than 0 and at most 1, found {self.density:g}")
        if self.seed < 0:
            raise UsageError(f"seed must be 0 or more, found {self.seed}")
        if self.t is not None and self.weights is not None:
            raise UsageError("weights and -t contradict each other", "give one of them")
        if self.t is not None and self.method not in _WITHOUT_BASE:
            raise UsageError(f"-t is not for --method {self.method}", "it is for linear, slerp, embedding")
        if self.method == "stock" and self.weights is not None:
            raise UsageError("weights are not for --method stock", "it counts all alike")
        if self.method in _WITHOUT_BASE and self.weights is not None and sum(self.weights) <= 0.0:
            raise UsageError(f"weights of {self.method} must add up to more than 0, found {sum(self.weights):g}")

    def check(self, count: int, has_base: bool) -> None:
        """Raises a UsageError if as many networks, without the base, cannot be combined in this way."""
        if self.method in NEED_BASE and not has_base:
            hint = "give what all were fine-tuned from with --base"
            raise UsageError(f"--method {self.method} takes a base", hint)
        if count + has_base < _PAIR:
            raise UsageError(f"merging takes two or more checkpoints, found {count + has_base}")
        if self.method == "stock" and count < _PAIR:
            raise UsageError(f"--method stock takes two or more checkpoints beside the base, found {count}")
        if self.method == "slerp" and count != _PAIR:
            raise UsageError(f"--method slerp takes two checkpoints, found {count}")
        if self.t is not None and count != _PAIR:
            hint = "give --weights; without them all count alike"
            raise UsageError(f"-t is the share of the second of two, found {count}", hint)
        if self.weights is not None and len(self.weights) != count:
            found = f"one for each of {count} models is expected, found {len(self.weights)}"
            raise UsageError(f"weights: {found}")

    def weights_of(self, count: int) -> tuple[float, ...]:
        """How much each of so many networks counts."""
        return (1.0 - self.t, self.t) if self.t is not None else self.weights or (1.0,) * count


def combine(
    how: Combination, tensors: Sequence[NDArray[np.floating]], base: NDArray[np.floating] | None, name: str
) -> NDArray[np.floating]:
    """Combines one tensor of several networks.

    Args:
        how: the method and its numbers.
        tensors: one of each network, of one shape; not written to.
        base: that of the base, if there is one.
        name: of the tensor; what `dare` drops depends on it.

    Returns:
        In the widest dtype among the tensors; the caller's own.

    Raises:
        UsageError: so many networks cannot be combined in this way, or not with these numbers.
    """
    how.check(len(tensors), base is not None)
    whole = Block([tensor.reshape(-1) for tensor in tensors], None if base is None else base.reshape(-1))
    if not whole.tensors[0].size:
        return tensors[0].copy()
    (merged,) = finite(combined(how, InMemory(whole), name), name)
    return merged.reshape(tensors[0].shape)


def finite(parts: Iterator[Values], name: str) -> Iterator[Values]:
    """The parts of a combined tensor as they come.

    Raises:
        UsageError: one of them is not finite.
    """
    while True:
        with np.errstate(all="ignore"):  # of what is refused below
            values = next(parts, None)
        if values is None:
            return
        if not np.isfinite(values).all():
            raise UsageError(f"tensor {name!r}: merged values overflow", "weights, scale or density are too extreme")
        yield values


def combined(how: Combination, blocks: Blocks, name: str) -> Iterator[Values]:
    """Combines one tensor block by block; see `combine`, which checks that `how` fits."""
    if not blocks.size:
        return iter(())
    count = blocks.networks
    weights = how.weights_of(count)
    density = DENSITY if how.density is None else how.density
    scale = SCALE if how.scale is None else how.scale
    match how.method:
        case "linear":
            return linear(blocks, weights)
        case "slerp":
            return slerp(blocks, weights[1] / sum(weights))
        case "task":
            return task(blocks, weights, scale)
        case "ties":
            return ties(blocks, weights, density, scale)
        case "dare":
            return dare(blocks, weights, density, scale, mask_generators(how.seed, name, count))
        case "stock":
            return stock(blocks)
