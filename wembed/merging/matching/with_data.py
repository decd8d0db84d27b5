"""Data at hand: candidates for a match in; the one whose midpoint loses least on training inputs out.

Networks that are near by their weights need not be near by what they do, above all where training was short or labels
were noisy. So where the average of the nearest by weights loses more than the two do on average, units are also matched
by what they pass on, the loss of the average decides between all candidates, and single swaps of units improve on the
best. Distances may grow by that, and which network is the first may matter. A copy is left as weights find it. Held-out
inputs take no part.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from wembed.checkpoint import Checkpoint
from wembed.merging.matching.assign import assigned, likeness
from wembed.merging.matching.groups import Group, free_groups, positions_of
from wembed.merging.matching.search import Matching, are_one, distance, matches, refined
from wembed.merging.tensors import Tensors, acted, as_checkpoint, tensors_of, weighted_sum
from wembed.merging.units import units_first
from wembed.models import Dataset, load_module, score
from wembed.symmetry import Action, SymmetrySpec, compose

_INPUTS = 256  # training inputs that candidates are tried on
_SWAPS = 150  # tried after that
_GAIN = 1e-5  # of the loss: less is rounding


@dataclass(frozen=True)
class Trial:
    """What candidates are tried on: a network that takes their weights in turn, and inputs for training.

    Args:
        spec: of the networks.
        module: whose weights are overwritten.
        inputs: [B, F].
        labels: [B].
    """

    spec: SymmetrySpec
    module: nn.Module
    inputs: Tensor
    labels: Tensor

    @classmethod
    def on(cls, dataset: Dataset, spec: SymmetrySpec, like: Checkpoint) -> Self:
        """Some of the training part of a data set.

        Args:
            dataset: what to run on.
            spec: of the networks.
            like: a checkpoint that says how to run them.
        """
        module = load_module(as_checkpoint(tensors_of(like, spec), like))
        return cls(spec, module, dataset.train_inputs[:_INPUTS], dataset.train_labels[:_INPUTS])

    def loss(self, tensors: Tensors) -> float:
        """The loss of a network, its batch norms going by what they see."""
        return score(self._holding(tensors).train(), self.inputs, self.labels).loss

    def middle(self, first: Tensors, second: Tensors) -> float:
        """The loss of the average of two networks."""
        return self.loss(weighted_sum([first, second], (0.5, 0.5)))

    def enough(self, networks: Sequence[Tensors]) -> float:
        """The mean of networks' own losses: an average that loses no more is not to be improved on."""
        return sum(self.loss(network) for network in networks) / len(networks)

    def activations(self, tensors: Tensors) -> dict[str, NDArray[np.float64]]:
        """Atom -> what its units pass to the layer that reads them, centred, [n, B ...]."""
        module = self._holding(tensors).eval()
        layers = dict(module.named_modules())
        hooks: list[RemovableHandle] = []
        found: dict[str, NDArray[np.float64]] = {}

        def watch(name: str, atom: str, positions: NDArray[np.intp]) -> None:
            def keep(_: nn.Module, seen: tuple[Tensor, ...]) -> None:
                read = units_first(layers[name], seen[0])[torch.from_numpy(positions)]  # [n, m, B, ...]
                units = read.double().flatten(1)  # [n, m B ...]
                found[atom] = (units - units.mean(1, keepdim=True)).numpy()

            hooks.append(layers[name].register_forward_pre_hook(keep))

        for layer in self.spec.layers:
            atom = self.spec.sites[layer.source].axis
            is_free = isinstance(atom, str) and not self.spec.atoms[atom].frozen
            if layer.kind == "dense" and layer.name in layers and isinstance(atom, str) and is_free:
                axis = self.spec.tensors[layer.tensors["weight"]][layer.layout.index("source")]
                watch(layer.name, atom, positions_of(axis, atom, self.spec.sizes))  # [n, m]
        with torch.inference_mode():
            module(self.inputs)
        for hook in hooks:
            hook.remove()
        return found

    def _holding(self, tensors: Tensors) -> nn.Module:
        state = self.module.state_dict()
        with torch.no_grad():
            for name in self.spec.tensors.keys() & state.keys():
                state[name].copy_(torch.from_numpy(tensors[name]))
        return self.module


def match_with_data(
    first: Tensors, second: Tensors, trial: Trial, generator: np.random.Generator, start: Action | None = None
) -> Matching:
    """What brings `second` nearest to `first` or, if their average then loses more than they do, makes it lose less.

    Args:
        first: the tensors of the spec, float64, in common scales.
        second: the same for the network that moves.
        trial: what decides.
        generator: see `matching`.
        start: see `matching`.
    """
    began, spec = time.process_time(), trial.spec
    by_weights = matches(first, second, spec, generator, start)
    nearest, iterations = by_weights[0], sum(found.iterations for found in by_weights)
    moved, enough = acted(nearest.action, spec, second), trial.enough([first, second])
    if are_one(first, moved, spec) or trial.middle(first, moved) <= enough:
        return replace(nearest, iterations=iterations, seconds=time.process_time() - began)
    # From the best of these on, units that never fire, which are all alike, fall out alike whatever the file's order.
    step = match_activations(first, moved, trial)
    active = compose(step, nearest.action, spec)
    by_both = refined(first, second, spec, generator, active)

    candidates = [*(found.action for found in by_weights), active, by_both.action]
    best = min(candidates, key=lambda action: trial.middle(first, acted(action, spec, second)))
    action = compose(_swaps(first, acted(best, spec, second), trial, generator, enough), best, spec)
    after = distance(first, acted(action, spec, second), spec)
    seconds = time.process_time() - began
    return Matching(action, iterations + by_both.iterations, nearest.cost_before, after, seconds)


def _swaps(first: Tensors, second: Tensors, trial: Trial, generator: np.random.Generator, enough: float) -> Action:
    """Swaps of two units of `second`, drawn at random, each kept if it lowers the loss of the average, until enough."""
    spec, total = trial.spec, Action({}, {})
    atoms = [group.atom for group in free_groups(spec) if spec.sizes[group.atom] > 1]
    least = trial.middle(first, second)
    for _ in range(_SWAPS if atoms else 0):
        if least <= enough:
            break
        atom = atoms[generator.integers(len(atoms))]
        index = np.arange(spec.sizes[atom])
        pair = generator.choice(len(index), 2, replace=False)
        index[pair] = index[pair[::-1]]
        swapped = acted(Action({atom: index}, {}), spec, second)
        loss = trial.middle(first, swapped)
        if loss < least * (1 - _GAIN):
            total, second, least = compose(Action({atom: index}, {}), total, spec), swapped, loss
    return total


def match_activations(first: Tensors, second: Tensors, trial: Trial) -> Action:
    """The permutations and signs that make units covary most, atom by atom."""
    ours, theirs = trial.activations(first), trial.activations(second)
    found = Action({}, {})
    for group in free_groups(trial.spec):
        if group.atom in ours:
            covariance = ours[group.atom] @ theirs[group.atom].T  # [n, n]
            step = assigned(likeness({_turning(group, trial.spec): covariance}))
            found = compose(step.action(group), found, trial.spec)
    return found


def _turning(group: Group, spec: SymmetrySpec) -> int:
    """The set of signs, as bits, that what is read of an atom's units changes with."""
    read = [
        layer.source for layer in spec.layers if layer.kind == "dense" and spec.sites[layer.source].axis == group.atom
    ]
    return sum(1 << bit for bit, sites in enumerate(group.signs) if read and read[-1] in sites)
