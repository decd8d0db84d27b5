"""The multilayer perceptron: flat inputs through linear layers, each with a norm perhaps and an activation."""

import math
from collections.abc import Callable
from typing import ClassVar, Literal

from torch import nn

from wembed.models.architectures.base import ACTIVATIONS, Chain

_NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class MLP(Chain):
    """A multilayer perceptron; see Chain for its settings."""

    takes: ClassVar = ("table", "images")

    kind: Literal["mlp"] = "mlp"

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Sequential:
        """Linear, norm, activation, and so on; see BaseArchitecture."""
        layers: list[nn.Module] = []
        width = math.prod(shape)
        for target in self.hidden:
            norm = [_NORMS[self.norm](target)] if self.norm != "none" else []
            layers += [nn.Linear(width, target), *norm, ACTIVATIONS[self.activation]()]
            width = target
        return nn.Sequential(*layers, nn.Linear(width, classes))
