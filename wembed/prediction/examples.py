"""Examples: what a predictor is fitted on, and what its intervals are calibrated on.

Legend: N checkpoints, D features.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]
Targets = NDArray[np.float64]


@dataclass(frozen=True)
class Examples:
    """Checkpoints whose accuracy is known.

    Args:
        vectors: their embeddings, [N, D].
        targets: their accuracies, 0 to 1, [N].
        runs: the training run of each, [N]; checkpoints of one run are no independent evidence.

    Raises:
        ValueError: the lengths differ.
    """

    vectors: Vectors
    targets: Targets
    runs: NDArray[np.str_]

    def __post_init__(self) -> None:
        if not len(self.vectors) == len(self.targets) == len(self.runs):
            raise ValueError(f"{len(self.vectors)} vectors, {len(self.targets)} targets, {len(self.runs)} runs")

    @property
    def run_count(self) -> int:
        """How many runs there are."""
        return len(np.unique(self.runs))

    def weights(self) -> NDArray[np.float64]:
        """What each checkpoint counts so that all runs count alike, [N]; they add up to 1."""
        _, index, sizes = np.unique(self.runs, return_inverse=True, return_counts=True)
        return 1.0 / (sizes[index] * len(sizes))
