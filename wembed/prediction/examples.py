"""Examples: what a predictor is fitted on, and what its intervals are calibrated on.

Legend: N checkpoints, D features.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]
Targets = NDArray[np.float64]


@dataclass(frozen=True)
class Kinds:
    """What tells of which kind networks are, beside their embeddings.

    Args:
        structures: signatures of names and shapes, "" where it isn't known, [N].
        transfers: what the network makes of its inputs, see `Transfer`, zeros where it isn't known, [N, K].
        datasets: names of what they were trained on, "" where it isn't known, [N]; asked of training networks alone.
    """

    structures: NDArray[np.str_]
    transfers: NDArray[np.floating]
    datasets: NDArray[np.str_] = field(default_factory=lambda: np.array([], dtype=np.str_))

    def __post_init__(self) -> None:
        if len(self.structures) != len(self.transfers):
            raise ValueError(f"{len(self.structures)} structures, {len(self.transfers)} transfers")
        if not len(self.datasets):
            object.__setattr__(self, "datasets", np.full(len(self.structures), ""))
        if len(self.datasets) != len(self.structures):
            raise ValueError(f"{len(self.structures)} structures, {len(self.datasets)} data sets")

    @property
    def has_transfer(self) -> NDArray[np.bool_]:
        """Whose transfer is known, [N]."""
        return np.asarray(self.transfers.any(1))

    def part(self, mask: NDArray[np.bool_]) -> "Kinds":
        """Those of some checkpoints."""
        return Kinds(self.structures[mask], self.transfers[mask], self.datasets[mask])


@dataclass(frozen=True)
class Examples:
    """Checkpoints whose target is known.

    Args:
        vectors: their embeddings, [N, D].
        targets: what is to be predicted, such as accuracies, 0 to 1, or numbers of classes, [N].
        runs: the training run of each, or its family where runs come from each other, see `kin_of`, [N]; checkpoints
            of one are no independent evidence.
        kinds: of what kind they are; None where nothing but their embeddings is to tell.

    Raises:
        ValueError: the lengths differ.
    """

    vectors: Vectors
    targets: Targets
    runs: NDArray[np.str_]
    kinds: Kinds | None = None

    def __post_init__(self) -> None:
        if not len(self.vectors) == len(self.targets) == len(self.runs):
            raise ValueError(f"{len(self.vectors)} vectors, {len(self.targets)} targets, {len(self.runs)} runs")
        if self.kinds is not None and len(self.kinds.structures) != len(self.runs):
            raise ValueError(f"{len(self.runs)} runs, {len(self.kinds.structures)} structures")

    @property
    def run_count(self) -> int:
        """How many runs there are."""
        return len(np.unique(self.runs))

    def weights(self) -> NDArray[np.float64]:
        """What each checkpoint counts so that all runs count alike, [N]; they add up to 1."""
        _, index, sizes = np.unique(self.runs, return_inverse=True, return_counts=True)
        return 1.0 / (sizes[index] * len(sizes))

    def part(self, mask: NDArray[np.bool_]) -> "Examples":
        """Some of them."""
        kinds = self.kinds.part(mask) if self.kinds else None
        return Examples(self.vectors[mask], self.targets[mask], self.runs[mask], kinds)
