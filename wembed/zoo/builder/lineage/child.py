"""Child: a network that is made of a trained one, and what it draws."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from wembed.zoo.builder.manifest import Group

Derivation = Literal[
    "data", "classes", "head", "continued", "pruned", "int8", "bf16", "noise", "distilled", "permuted", "merged"
]
Purpose = Literal["change", "subset", "order", "head", "noise", "action"]

FIXED_CHANGE: frozenset[Derivation] = frozenset({"int8", "bf16", "permuted"})  # the format or the action decides
PARITY = "-parity"  # behind the name of a data set: the task of telling odd labels from even ones
_DIGITS = 5  # significant ones of the drawn change, so that people can read it


@dataclass(frozen=True)
class Child:
    """A network to be made of another one.

    Whatever it draws follows from the seed and its name alone, so that it does not matter what else is made.

    Args:
        group: that of the run which it descends from.
        parent: id of the checkpoint that it is made of: the last one of a run, or another child.
        parent_name: the parent's run, which for a child is its own name.
        derivation: how it is made.
        number: among its parent's children of that derivation.
        generation: how many steps its run is away, from 1.
        seed: of the build.
        other: id of the second network of a merge.
    """

    group: Group
    parent: str
    parent_name: str
    derivation: Derivation
    number: int
    generation: int
    seed: int
    other: str | None = None

    @property
    def name(self) -> str:
        """Its run and the id of its only checkpoint."""
        return f"{self.parent_name}-{self.derivation}-{self.number}"

    @property
    def dataset(self) -> str:
        """The name of the data set whose task it is for."""
        return f"{self.group.dataset}{PARITY}" if self.derivation == "head" else self.group.dataset

    @property
    def run_number(self) -> int:
        """Which run of the group it descends from."""
        return int(self.parent_name.removeprefix(f"{self.group.name}-").split("-")[0])

    @cached_property
    def change(self) -> float | None:
        """How far from its parent it shall be, its logarithm uniform; None where that can't be chosen."""
        if self.derivation in FIXED_CHANGE:
            return None
        low, high = self.group.children.change
        drawn = float(np.exp(self.generator("change").uniform(np.log(low), np.log(high))))
        return min(max(float(f"{drawn:.{_DIGITS}g}"), low), high)

    def generator(self, purpose: Purpose) -> np.random.Generator:
        """The child's own randomness for one purpose."""
        return np.random.default_rng(np.frombuffer(self._digest(purpose), np.uint32))

    def draw_id(self, purpose: Purpose) -> str:
        """Names what the child draws for a purpose; nothing else that is ever drawn has that name."""
        return self._digest(purpose).hex()[:16]

    def _digest(self, purpose: Purpose) -> bytes:
        return hashlib.sha256(f"{self.seed} {self.name} {purpose}".encode()).digest()
