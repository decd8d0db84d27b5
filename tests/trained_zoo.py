"""A small zoo of really trained networks, in seconds: what evaluation and prediction are tried on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.models import MLP, Architecture, Dataset, ModelDescription, chain_steps, load_dataset, score
from wembed.symmetry import declare_spec, spec_metadata, structure_signature

SNAPSHOTS = (6, 24)  # steps
_BATCH = 32


@dataclass(frozen=True)
class Kind:
    """Runs of one data set and architecture; sealed ones are for zero-shot only."""

    dataset: str
    hidden: tuple[int, ...]
    runs: int
    sealed: bool = False

    @property
    def architecture(self) -> Architecture:
        """A relu MLP."""
        return MLP(hidden=self.hidden)


KINDS = (Kind("wine", (8,), 48), Kind("wine", (6, 6), 12), Kind("breast_cancer", (8,), 4, sealed=True))


def make_zoo(root: Path, kinds: tuple[Kind, ...] = KINDS) -> Zoo:
    """Trains every run of some kinds and enters its snapshots."""
    zoo = Zoo.create(root)
    zoo.append([row for kind in kinds for number in range(kind.runs) for row in _run(zoo, kind, number)])
    return zoo


def _run(zoo: Zoo, kind: Kind, number: int) -> Iterator[CatalogRow]:
    data = load_dataset(kind.dataset)
    name = f"{kind.dataset}-{kind.architecture.label}-{number:03d}"
    generator = np.random.default_rng([number, *kind.hidden])
    rate, noise = float(np.exp(generator.uniform(np.log(3e-4), np.log(3e-2)))), float(generator.uniform(0.0, 0.5))
    description = ModelDescription(architecture=kind.architecture, shape=data.shape, classes=data.classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator.integers(2**31)))
        module = description.build()
    labels = data.train_labels.numpy().copy()
    wrong = generator.random(len(labels)) < noise
    labels[wrong] = generator.integers(0, data.classes, int(wrong.sum()))
    optimiser = torch.optim.Adam(module.parameters(), lr=rate)
    for step in range(1, SNAPSHOTS[-1] + 1):
        chosen = generator.integers(0, len(labels), _BATCH)
        loss = nn.functional.cross_entropy(module(data.train_inputs[chosen]), torch.from_numpy(labels[chosen]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step in SNAPSHOTS:
            known = {"learning_rate": rate, "label_noise": noise}
            yield _entered(zoo, module, description, data, f"{name}-step{step}", known, kind.sealed)


def _entered(
    zoo: Zoo, module: nn.Sequential, description: ModelDescription, data: Dataset, name: str,
    known: dict[str, object], sealed: bool,
) -> CatalogRow:  # fmt: skip
    tensors = {key: ("F32", value.numpy().copy()) for key, value in module.state_dict().items()}
    spec = declare_spec({key: value.shape for key, (_, value) in tensors.items()}, [chain_steps(module)])
    path = zoo.root / "checkpoints" / f"{name}.safetensors"
    write_safetensors(path, tensors, spec_metadata(spec) | description.metadata() | {"dataset": data.name})
    checkpoint, scores = open_checkpoint(path), score(module, data.test_inputs, data.test_labels)
    run, step = name.rsplit("-step", 1)
    return CatalogRow(
        id=name, path=f"checkpoints/{name}.safetensors", content=checkpoint.content_hash(),
        structure=structure_signature(checkpoint), spec=spec.hash, tier=spec.tier, params=checkpoint.parameters,
        architecture=description.architecture.label, dataset=data.name, run=run, step=int(step),
        hyperparameters=known, accuracy=scores.accuracy, loss=scores.loss, split="zero-shot" if sealed else None,
    )  # fmt: skip
