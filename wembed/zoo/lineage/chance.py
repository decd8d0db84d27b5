"""Networks in; how alike unrelated ones look in the order of their files, by chance, out.

The neurons of a network that was made independently may have any order. So copies whose neurons are shuffled are
compared with all networks: what they look like is what strangers look like, common shapes and means included.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from wembed.encoder import Item
from wembed.symmetry import apply_action, random_action
from wembed.zoo.lineage.nearest import compare
from wembed.zoo.lineage.sketch import Sketch, sketch_of, weights_of

_SHUFFLED = 48  # copies that are enough
_FALSE = 1e-4  # pairs of strangers in all that may pass for kin, where strangers are normal
_DEVIATIONS = 5.0  # above the mean of strangers, that are enough for any number of pairs
_ENOUGH = 256  # comparisons that are looked for
_FEWEST = 16  # comparisons that say what chance is
_WORK = 1_000_000_000  # weights that are shuffled for it, beside one shuffle of each network


@dataclass(frozen=True)
class Chance:
    """How alike strangers of one structure are.

    Args:
        cosines: sorted, [n].
        networks: how many there are.
    """

    cosines: NDArray[np.float64]
    networks: int

    @cached_property
    def is_known(self) -> bool:
        """Whether there is anything to go by: neurons that may be shuffled, and networks enough."""
        return len(self.cosines) >= _FEWEST and float(self.cosines.std()) > 0

    @cached_property
    def limit(self) -> float:
        """The cosine beyond which two networks are no strangers."""
        if not self.is_known:
            return float("inf")
        pairs = max(self.networks * (self.networks - 1) // 2, 1)
        deviations = min(_DEVIATIONS, NormalDist().inv_cdf(1 - _FALSE / pairs))
        return max(float(self.cosines[-1]), float(self.cosines.mean() + deviations * self.cosines.std()))

    def p_value(self, cosine: float) -> float:
        """The share of strangers that are as alike, counting the pair itself as one."""
        above = len(self.cosines) - int(np.searchsorted(self.cosines, cosine))
        return (1 + above) / (1 + len(self.cosines))


def chance(items: Sequence[Item], sketches: Sequence[Sketch], generator: np.random.Generator) -> Chance:
    """What chance is among networks of one structure.

    Args:
        items: N networks.
        sketches: theirs, [N].
        generator: shuffles.
    """
    largest = max((checkpoint.parameters for checkpoint, _ in items), default=1)
    wanted = -(-_ENOUGH // max(len(items) ** 2, 1))
    rounds = max(1, min(wanted, _WORK // (largest * max(len(items), 1))))
    chosen = generator.permutation(len(items))[:_SHUFFLED]
    shuffled = [_shuffled(items[number], generator) for number in chosen for _ in range(rounds)]
    cosines = compare(shuffled, sketches).cosine
    return Chance(np.sort(cosines[np.isfinite(cosines)]), len(items))


def _shuffled(item: Item, generator: np.random.Generator) -> Sketch:
    checkpoint, spec = item
    names = weights_of(checkpoint)
    moved = apply_action(random_action(spec, generator), spec, checkpoint.read) if spec.has_free else iter(())
    others = ((name, checkpoint.read(name)) for name in names if name not in spec.tensors)
    return sketch_of(((name, values) for name, values in chain(moved, others) if name in names), len(names))
