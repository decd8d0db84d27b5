"""The networks of one process in; what an encoder is set up by, of the networks of all processes, out.

That is little of a large network: its block features, its fingerprint, its wiring. A flat encoder alone looks at all
weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from wembed.device import CPU
from wembed.encoder.batches import Batch
from wembed.encoder.flat import FlatBatch
from wembed.encoder.probes import Task, tasks_of
from wembed.training.distributed import Ranks
from wembed.training.kin import Numbers
from wembed.training.pool import Networks, Pool, Stack

if TYPE_CHECKING:
    from wembed.encoder.pna.networks import PnaBatch


@dataclass(frozen=True)
class Looks:
    """What an encoder is set up by.

    Args:
        networks: of all views, by structure, in order; without what is not looked at where other processes have some.
        tasks: what networks of a gnn take and give.
    """

    networks: Sequence[Networks]
    tasks: tuple[Task, ...]


def looks_of(pool: Pool, ranks: Ranks) -> Looks:
    """What can be seen of a pool that processes share."""
    own = [stack.networks for stack in pool.stacks if stack.networks is not None]
    batches = [batch for batch in own if isinstance(batch, Batch)]
    if ranks.is_alone:
        return Looks(own, tasks_of(batches))
    tasks = {task for found in ranks.all(tasks_of(batches)) for task in found}
    shown = ranks.all([None if stack.networks is None else _shown(stack.networks) for stack in pool.stacks])
    networks = [
        _joined(stack, [one[number] for one in shown], ranks).to(pool.home) for number, stack in enumerate(pool.stacks)
    ]
    return Looks(networks, tuple(sorted(tasks, key=lambda task: (task.inputs, task.classes))))


def _shown(networks: Networks) -> Networks:
    """Networks without what no encoder is set up by, where all processes can have them."""
    if isinstance(networks, Batch):
        networks = Batch((), (), {}, networks.blocks, networks.tokens, networks.signature)
    elif not isinstance(networks, FlatBatch):
        networks = _wired(networks)  # type: ignore[arg-type] # the third kind
    return networks.to(torch.device(CPU))


def _wired(batch: "PnaBatch") -> "PnaBatch":
    none = torch.zeros(0)
    return replace(batch, networks=tuple(replace(one, nodes=none, modes=none, scales=none) for one in batch.networks))


def _joined(stack: Stack, parts: Sequence[Networks | None], ranks: Ranks) -> Networks:
    """The networks of all processes in the order that one alone has them in."""
    found = [part for part in parts if part is not None]
    order = np.concatenate([_order(stack, rank) for rank in range(ranks.count)])
    return _concatenated(found).select(torch.from_numpy(np.argsort(order)))


def _order(stack: Stack, rank: int) -> Numbers:
    """Where the views of a process's networks stand among all."""
    own = np.flatnonzero(stack.owner == rank)
    order: Numbers = (np.arange(stack.views)[:, None] * stack.count + own).ravel()
    return order


def _concatenated(parts: Sequence[Networks]) -> Networks:
    match parts[0]:
        case Batch():
            batches = [part for part in parts if isinstance(part, Batch)]
            blocks = torch.cat([batch.blocks for batch in batches])
            tokens = torch.cat([batch.tokens for batch in batches])
            return Batch((), (), {}, blocks, tokens, torch.cat([batch.signature for batch in batches]))
        case FlatBatch():
            return FlatBatch(torch.cat([part.vectors for part in parts if isinstance(part, FlatBatch)]))
        case first:
            networks = [network for part in parts for network in part.networks]  # type: ignore[attr-defined]
            return replace(first, networks=tuple(networks))  # type: ignore[type-var]
