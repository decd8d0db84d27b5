"""Runnable: a network that can be traced and run, whoever defined it.

It knows how to build its module; tracing needs one without memory, on the meta device, and running one with weights.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from wembed.models.foreign.random_weights import randomise


def _same(name: str) -> str:
    return name


@dataclass(frozen=True)
class Runnable:
    """A network and what to call it with.

    Args:
        name: what it is called in messages.
        build: makes the module, on the device that is torch's default at the time.
        args: example inputs, small, on the CPU.
        kwargs: the same, by name.
        rename: a file's name of a tensor -> the module's.
        config: as config.json holds it, every field that counts; nothing for what has none.
        shallow: gives the same network with stacks of at most so many layers, where they can be cut.
        notes: what was left aside when it was read, for people.
    """

    name: str
    build: Callable[[], nn.Module]
    args: tuple[Any, ...] = ()  # whatever the module's forward takes
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    rename: Callable[[str], str] = _same
    config: Mapping[str, Any] = field(default_factory=dict)
    shallow: "Callable[[int], Runnable] | None" = None
    notes: tuple[str, ...] = ()

    @cached_property
    def module(self) -> nn.Module:
        """The module in evaluation mode, on the meta device where it is built there; its weights mean nothing."""
        try:
            with torch.device("meta"):
                built = self.build().eval()
        except (RuntimeError, NotImplementedError):  # a constructor that computes with values
            return self.build().eval()
        devices = {value.device.type for value in built.state_dict().values()}
        return built.to("meta") if len(devices) > 1 else built  # some constructors put a tensor on the CPU all the same

    @property
    def traceable(self) -> "Runnable":
        """The same with its example inputs on the module's device."""
        device = next((value.device for value in self.module.state_dict().values()), torch.device("cpu"))
        moved = pytree.tree_map_only(Tensor, lambda value: value.to(device), (self.args, dict(self.kwargs)))
        same = replace(self, args=moved[0], kwargs=moved[1])
        same.__dict__["module"] = self.module  # built once
        return same

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every floating tensor of the module's state."""
        state = self.module.state_dict()
        return {name: tuple(value.shape) for name, value in state.items() if value.is_floating_point()}

    @cached_property
    def tied(self) -> tuple[tuple[str, ...], ...]:
        """The groups of names that are one tensor."""
        names: dict[int, list[str]] = defaultdict(list)
        for name, value in self.module.named_parameters(remove_duplicate=False):
            names[id(value)].append(name)
        return tuple(tuple(group) for group in names.values() if len(group) > 1)

    @property
    def parameters(self) -> int:
        """Number of elements of all parameters."""
        return sum(value.numel() for value in self.module.parameters())

    def with_random_weights(self, generator: torch.Generator) -> nn.Module:
        """A fresh module on the CPU in evaluation mode, everything in it random, in float32."""
        return randomise(self.build().eval(), generator)
