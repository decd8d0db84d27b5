"""Trainees of any architecture in; what they are after some steps out, trained one after the other."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wembed.device import to_device
from wembed.models import Architecture, Dataset, cross_entropy
from wembed.zoo.builder.training.trainee import DIVERGED_LOSS, OnStep, Trained, Trainee

_STEPS_PER_LOOK = 8  # a look at the loss waits for the device


def train_alone(
    trainees: Sequence[Trainee],
    architecture: Architecture,
    dataset: Dataset,
    snapshots: tuple[int, ...],
    on_step: OnStep,
    device: str,
) -> list[Trained]:
    """Trains networks one after the other; see `train`."""
    trained = []
    for place, trainee in enumerate(trainees):
        module = architecture.build(dataset.shape, dataset.classes).to(device).train()
        trained += _Lesson(place, trainee, module, dataset, device).run(snapshots, on_step)
    return trained


class _Lesson:
    """The training of one network."""

    def __init__(self, place: int, trainee: Trainee, module: nn.Module, dataset: Dataset, device: str) -> None:
        self.place, self.trainee, self.module = place, trainee, module
        start = {name: to_device(torch.from_numpy(value), device) for name, value in trainee.start.items()}
        module.load_state_dict(start, strict=False)
        drawn = (dataset.train_inputs, torch.from_numpy(trainee.labels), torch.from_numpy(trainee.batches))
        self.inputs, self.labels, self.batches = (to_device(values, device) for values in drawn)
        rate, decay = trainee.learning_rate, trainee.weight_decay
        self.optimiser = torch.optim.AdamW(module.parameters(), rate, weight_decay=decay, fused=True)
        weights = [(name, value) for name, value in module.named_parameters() if value.dim() > 1]
        self.starts = {name: start[name] for name, _ in weights}
        self.weights = dict(weights)

    def run(self, snapshots: tuple[int, ...], on_step: OnStep) -> list[Trained]:
        """Takes all steps."""
        kept: list[Trained] = []
        for step in range(snapshots[-1] + 1):
            now = self._copied(step) if step in snapshots else None
            loss = self._loss(self.batches[step])
            if (step % _STEPS_PER_LOOK == 0 or now) and not self._is_fine(loss):
                return self._diverged(kept, step)
            kept += [now] if now else []
            if step == snapshots[-1]:
                break
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            on_step(self.place * snapshots[-1] + step + 1)
            if self.trainee.until is not None and self._change() >= self.trainee.until:
                return [self._copied(step + 1)]
        return kept

    def _loss(self, chosen: Tensor) -> Tensor:
        return cross_entropy(self.module(self.inputs[chosen]), self.labels[chosen])

    def _is_fine(self, loss: Tensor) -> bool:
        finite = torch.stack([value.isfinite().all() for value in self._state().values()]).all()
        return bool((loss < DIVERGED_LOSS) & finite)

    def _diverged(self, kept: list[Trained], step: int) -> list[Trained]:
        last = kept.pop() if kept else Trained(self.place, 0, dict(self.trainee.start))
        return [*kept, Trained(self.place, last.step, last.tensors, diverged_at=step)]

    def _copied(self, step: int) -> Trained:
        return Trained(self.place, step, {name: value.cpu().numpy().copy() for name, value in self._state().items()})

    def _state(self) -> dict[str, Tensor]:
        return {name: value.detach() for name, value in self.module.state_dict().items() if name in self.trainee.start}

    @torch.no_grad()
    def _change(self) -> float:
        pairs = [(value, self.starts[name]) for name, value in self.weights.items()]
        moved = torch.stack([(now - start).square().sum() for now, start in pairs]).tolist()
        length = torch.stack([start.square().sum() for _, start in pairs]).tolist()
        return float(np.sqrt(sum(moved) / sum(length)))
