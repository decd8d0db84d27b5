"""What a module prepares after every epoch, from the networks of all processes."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from wembed.encoder.batches import Batch
from wembed.encoder.probes import ends, say_of, task_of
from wembed.training.distributed import Ranks
from wembed.training.pool import Networks

_CONSENSUS = "probes.consensus_"  # buffers of a gnn


def prepare(module: nn.Module, networks: Sequence[Networks], accuracies: Sequence[Tensor], ranks: Ranks) -> None:
    """Shows a module the networks that are trained on; what they agree on is what those of all processes do.

    Args:
        module: in evaluation.
        networks: this process's own, unchanged.
        accuracies: theirs, [B] each.
        ranks: whose networks count.
    """
    module.after_epoch(networks, accuracies)  # type: ignore[operator]
    agreed = {name: value for name, value in module.named_buffers() if name.startswith(_CONSENSUS)}
    if ranks.is_alone or not agreed:
        return
    says = _says(networks, accuracies)
    weights = [says.get(name.removeprefix("probes."), value.new_zeros(())) for name, value in agreed.items()]
    before = [value.clone() for value in agreed.values()]
    shares = [value * weight for value, weight in zip(agreed.values(), weights, strict=True)]
    ranks.add_up([*shares, *weights])
    for value, share, weight, old in zip(agreed.values(), shares, weights, before, strict=True):
        value.copy_(torch.where(weight > 0, share / weight, old))


def _says(networks: Sequence[Networks], accuracies: Sequence[Tensor]) -> dict[str, Tensor]:
    """Buffer -> how much these networks have to say on it, together."""
    says: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
    for batch, accuracy in zip(networks, accuracies, strict=True):
        assert isinstance(batch, Batch)  # of a gnn: nothing else agrees
        for end in ends(batch):
            name = task_of(batch, end).buffer
            say = say_of(accuracy).sum()
            says[name] = says[name].to(say.device) + say
    return says
