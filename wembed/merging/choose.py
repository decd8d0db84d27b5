"""Data at hand: candidates for a match in; the one whose midpoint loses least on training inputs out.

Networks that are near by their weights need not be near by what they do, above all where training was short or labels
were noisy. So units are also matched by what they pass on, and the loss of the average decides between all candidates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wembed.checkpoint import Checkpoint
from wembed.merging.match import assignment, free_groups, matches, nearer, positions_of
from wembed.merging.statistics import as_checkpoint, with_statistics
from wembed.models import Dataset, load_module, score
from wembed.symmetry import Action, SymmetrySpec, apply_action

Tensors = Mapping[str, NDArray[np.float64]]

_INPUTS = 512  # training inputs that candidates are tried on


@dataclass(frozen=True)
class Trial:
    """What candidates are tried on.

    Args:
        spec: of the networks.
        like: a checkpoint that says how to run them.
        inputs: [B, F], for training.
        labels: [B].
    """

    spec: SymmetrySpec
    like: Checkpoint
    inputs: Tensor
    labels: Tensor

    @classmethod
    def on(cls, dataset: Dataset, spec: SymmetrySpec, like: Checkpoint) -> Self:
        """Some of the training part of a data set."""
        return cls(spec, like, dataset.train_inputs[:_INPUTS], dataset.train_labels[:_INPUTS])

    def loss(self, tensors: Tensors) -> float:
        """The loss of a network, its batch-norm statistics recomputed."""
        fresh = with_statistics(tensors, self.spec, self.like, self.inputs)
        return score(load_module(as_checkpoint(fresh, self.like)), self.inputs, self.labels).loss

    def activations(self, tensors: Tensors) -> dict[str, NDArray[np.float64]]:
        """Atom -> what its units pass to the layer that reads them, centred, [n, B ...]."""
        module = load_module(as_checkpoint(tensors, self.like))
        layers = dict(module.named_modules())
        found: dict[str, NDArray[np.float64]] = {}

        def watch(name: str, atom: str, positions: NDArray[np.intp]) -> None:
            def keep(_: nn.Module, seen: tuple[Tensor, ...]) -> None:
                units = seen[0].transpose(0, 1)[torch.from_numpy(positions)].double().flatten(1)  # [n, m B ...]
                found[atom] = (units - units.mean(1, keepdim=True)).numpy()

            layers[name].register_forward_pre_hook(keep)

        for layer in self.spec.layers:
            atom = self.spec.sites[layer.source].axis
            if layer.kind == "dense" and layer.name in layers and isinstance(atom, str):
                axis = self.spec.tensors[layer.tensors["weight"]][layer.layout.index("source")]
                watch(layer.name, atom, positions_of(axis, atom, self.spec.sizes))  # [n, m]
        with torch.inference_mode():
            module(self.inputs)
        return found


def match_with_data(first: Tensors, second: Tensors, trial: Trial, generator: np.random.Generator) -> Action:
    """The permutations and signs of `second` whose average with `first` has the least training loss.

    Args:
        first: the tensors of the spec, float64, in common scales.
        second: the same for the network that moves.
        trial: what decides.
        generator: see `match`.
    """
    spec = trial.spec
    active = match_activations(first, second, trial)
    candidates = [*matches(first, second, spec, generator), active, nearer(first, second, active, spec, generator)]

    def loss(action: Action) -> float:
        moved = apply_action(action, spec, second.__getitem__)
        return trial.loss({name: (first[name] + values.astype(np.float64)) / 2.0 for name, values in moved})

    return min(candidates, key=loss)


def match_activations(first: Tensors, second: Tensors, trial: Trial) -> Action:
    """The permutations and signs that make units covary most, atom by atom."""
    ours, theirs = trial.activations(first), trial.activations(second)
    permutations: dict[str, NDArray[np.intp]] = {}
    scales: dict[str, NDArray[np.float64]] = {}
    for group in free_groups(trial.spec):
        if group.atom in ours:
            covariance = ours[group.atom] @ theirs[group.atom].T  # [n, n]
            none = np.zeros_like(covariance)
            step = assignment(group, covariance, none) if group.sites else assignment(group, none, covariance)
            permutations |= step.permutations
            scales |= step.scales
    return Action(permutations, scales)
