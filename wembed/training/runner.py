"""A module in; what it finds for the networks of a step, of all processes, in order, out.

Beforehand one network of every structure is run: which dropouts it meets and which parameters it trains is then known
to all processes, those too that have no network of that structure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from wembed.device import autocast, full_precision, to_device
from wembed.training.distributed import Ranks
from wembed.training.dropout import Call, SharedDropout, calls_of, draw_mask, share_dropouts
from wembed.training.kin import Numbers
from wembed.training.options import TrainOptions
from wembed.training.pieces import Piece, Share
from wembed.training.pool import Networks, Part, Pool
from wembed.training.steps import Objective, objectives_of

Run = Callable[[Networks], Tensor]


@dataclass(frozen=True)
class Met:
    """What networks of one structure meet.

    Args:
        calls: of dropouts, in order.
        parameters: numbers of those that they train.
        width: length of what is found for each.
    """

    calls: tuple[Call, ...]
    parameters: frozenset[int]
    width: int


@dataclass(frozen=True)
class Runner:
    """A module, run by one process or several.

    Args:
        module: from networks to embeddings [B, D], with `accuracy_logits` of networks.
        dropouts: of the module.
        run: its two functions.
        met: by objective and number of a stack.
        is_precise: whether products are float32 on all devices.
        device: where it runs.
        ranks: who runs it.
    """

    module: nn.Module
    dropouts: Sequence[SharedDropout]
    run: Mapping[Objective, Run]
    met: Mapping[tuple[Objective, int], Met]
    is_precise: bool
    device: torch.device
    ranks: Ranks

    @classmethod
    def of(cls, module: nn.Module, pool: Pool, options: TrainOptions, ranks: Ranks) -> "Runner":
        """A module that networks of a pool are run on."""
        dropouts, run, first = share_dropouts(module), _functions(module), np.zeros(1, dtype=np.intp)
        own: dict[tuple[Objective, int], Met] = {}
        for number, stack in enumerate(pool.stacks):
            for objective in objectives_of(options) if stack.held else ():
                one = partial(_met, module, dropouts, run[objective], pool.unchanged(stack, first))
                own[objective, number] = Share(1, pool.device).fitted(one, 1)
        met = {key: value for found in ranks.all(own) for key, value in found.items()}
        if options.compile:
            compile_layers(module)
        return cls(module, dropouts, run, met, options.precision == "float32", pool.device, ranks)

    def pieces(self, parts: Sequence[Part], objective: Objective) -> list[Piece]:
        """The own networks of parts, with masks of dropouts while the module trains; all processes draw the same."""
        pieces = []
        for part in parts:
            calls = self.met[objective, part.stack].calls if self.module.training else ()
            masks = [draw_mask(self.dropouts[call.number], part.count, call.shape, self.device) for call in calls]
            if part.networks is None:
                continue
            if len(part.rows) < part.count:
                rows = to_device(torch.from_numpy(part.rows), self.device)
                masks = [mask[rows] for mask in masks]
            numbered = tuple((call.number, mask) for call, mask in zip(calls, masks, strict=True))
            pieces.append(Piece(part.networks, part.places, numbered))
        return pieces

    def found(self, piece: Piece, objective: Objective) -> Tensor:
        """What the module finds for a piece, float32 [n, D]."""
        for dropout in self.dropouts:
            dropout.masks.clear()  # of a piece that memory did not suffice for
        for number, mask in piece.masks:
            self.dropouts[number].masks.append(mask)
        with full_precision() if self.is_precise else autocast(self.device):
            return self._run(piece, objective)

    def of_all(self, found: Sequence[tuple[Piece, Tensor]], objective: Objective, owner: Numbers) -> Tensor:
        """What all processes found for the networks of a step, in order, [B, D].

        Args:
            found: by this process, of its pieces.
            objective: of the step.
            owner: whose each of its networks is, [B].
        """
        places = np.concatenate([np.zeros(0, dtype=np.intp), *(piece.places for piece, _ in found)])
        width = next(met.width for (of, _), met in self.met.items() if of == objective)
        own = torch.cat([torch.zeros(0, width, device=self.device), *(values for _, values in found)])
        in_order = own[to_device(torch.from_numpy(np.argsort(places)), self.device)]
        most = int(np.bincount(owner).max())
        return self.ranks.gathered(in_order, to_device(torch.from_numpy(owner), self.device), most)

    def trained(self, parts: Sequence[Part], objective: Objective) -> list[nn.Parameter]:
        """The parameters that a step on parts trains, in whatever process their networks are."""
        numbers = frozenset[int]().union(*(self.met[objective, part.stack].parameters for part in parts))
        return [value for number, value in enumerate(self.module.parameters()) if number in numbers]

    def _run(self, piece: Piece, objective: Objective) -> Tensor:
        return self.run[objective](piece.networks).float().reshape(len(piece.places), -1)


def compile_layers(module: nn.Module) -> None:
    """Compiles the layers of a module for inputs of any size; how they are put together depends on the network."""
    for part in module.modules():
        if isinstance(part, nn.ModuleList):
            for layer in part:
                layer.compile(dynamic=True)


def _functions(module: nn.Module) -> dict[Objective, Run]:
    return {"contrastive": module, "accuracy": module.accuracy_logits}  # type: ignore[dict-item] # nn.Module hides it


def _met(module: nn.Module, dropouts: Sequence[SharedDropout], run: Run, network: Networks, parts: int) -> Met:
    """What a network, which has no parts, meets on its way there and back."""
    module.train()
    found, calls = calls_of(dropouts, lambda: run(network).reshape(1, -1))
    found.sum().backward()  # type: ignore[no-untyped-call]
    trained = [number for number, value in enumerate(module.parameters()) if value.grad is not None]
    module.zero_grad()
    return Met(calls, frozenset(trained), found.shape[1])
