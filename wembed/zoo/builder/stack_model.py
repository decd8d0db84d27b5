"""StackedModel: many networks of one architecture as one, which computes all of them at once.

A template Sequential says what runs after what; its layers are interpreted on parameters with a leading axis of M
networks. Features are [M, F, B], with the batch last, which is what vector units like in narrow layers; images are
[B, M*C, H, W], so that one grouped convolution serves all networks.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from wembed.models.architectures import ACTIVATIONS

Arrays = Mapping[str, NDArray[np.float32]]


class StackedModel:
    """M networks of one architecture, in training mode.

    Args:
        template: one such network; only its layers and shapes are read.
        initial: the tensors of each of the M networks, by the template's names; running statistics may be missing.
    """

    def __init__(self, template: nn.Sequential, initial: Sequence[Arrays]) -> None:
        self.size = len(initial)
        self.template = template
        parameters = {name: tuple(value.shape) for name, value in template.named_parameters()}
        self.weights = Flat(parameters, self.size)
        self.statistics = Flat(statistic_shapes(template), self.size)
        for name in parameters:
            self.weights.views[name].copy_(torch.from_numpy(np.stack([tensors[name] for tensors in initial])))
        for name, view in self.statistics.views.items():
            view.fill_(1.0 if name.endswith("running_var") else 0.0)
        self.weights.require_gradients()

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [M, classes, B] of inputs [M, F, B]; updates running statistics, as training does."""
        values = inputs
        for name, layer in self.template.named_children():
            values = _COMPUTE[type(layer)](self, name, layer, values)
        return values

    def tensors_of(self, model: int, weights: "Flat", statistics: "Flat") -> dict[str, NDArray[np.float32]]:
        """The tensors of one network, in the order of the template's, out of buffers that are laid out like ours."""
        found = {**weights.views, **statistics.views}
        names = [name for name in self.template.state_dict() if name in found]
        return {name: found[name][model].detach().numpy().copy() for name in names}


class Flat:
    """Tensors of one shape per network, [M, *shape] each, that lie in one buffer: one operation updates them all.

    Args:
        shapes: of one network's tensors, by name.
        size: M.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], size: int) -> None:
        self.shapes, self.size = dict(shapes), size
        self.buffer = torch.zeros(size * sum(map(_count, shapes.values())))
        self.views = self._cut(self.buffer)

    def like(self) -> "Flat":
        """Zeros of the same layout."""
        return Flat(self.shapes, self.size)

    def copy_from(self, other: "Flat") -> None:
        """Takes all values over."""
        self.buffer.copy_(other.buffer)

    def copy_models(self, other: "Flat", models: Tensor) -> None:
        """Takes over the values of some networks, given as booleans [M]."""
        for name, view in self.views.items():
            view.data[models] = other.views[name].data[models]

    def spread(self, values: Tensor) -> Tensor:
        """One value per network [M], repeated for each of its elements: laid out like the buffer."""
        return torch.cat([values.repeat_interleave(_count(shape)) for shape in self.shapes.values()])

    def are_finite(self) -> Tensor:
        """Whether all values of a network are finite, [M]."""
        finite = torch.ones(self.size, dtype=torch.bool)
        if self.buffer.sum().isfinite():  # nothing that isn't finite adds up to something finite
            return finite
        for view in self.views.values():
            finite &= view.detach().isfinite().reshape(self.size, -1).all(1)
        return finite

    def require_gradients(self) -> None:
        """Makes the tensors leaves whose gradients gather in one buffer, which the caller sets to zero."""
        self.gradient = torch.zeros_like(self.buffer)
        for (name, view), gradient in zip(self.views.items(), self._cut(self.gradient).values(), strict=True):
            self.views[name] = view.detach().requires_grad_()
            self.views[name].grad = gradient

    def _cut(self, buffer: Tensor) -> dict[str, Tensor]:
        views, begin = {}, 0
        for name, shape in self.shapes.items():
            end = begin + self.size * _count(shape)
            views[name] = buffer[begin:end].view(self.size, *shape)
            begin = end
        return views


def statistic_shapes(template: nn.Module) -> dict[str, tuple[int, ...]]:
    """The running statistics of a network, by name."""
    buffers = template.named_buffers()
    return {name: tuple(value.shape) for name, value in buffers if value.is_floating_point()}


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))


def _linear(stack: StackedModel, name: str, layer: nn.Module, values: Tensor) -> Tensor:
    weight, bias = stack.weights.views[f"{name}.weight"], stack.weights.views[f"{name}.bias"]
    return torch.baddbmm(bias[:, :, None], weight, values)  # [M, O, B]


def _convolution(stack: StackedModel, name: str, layer: nn.Module, values: Tensor) -> Tensor:
    weight, bias = stack.weights.views[f"{name}.weight"], stack.weights.views[f"{name}.bias"]
    return functional.conv2d(values, weight.flatten(0, 1), bias.flatten(), padding=1, groups=stack.size)


def _norm(stack: StackedModel, name: str, layer: nn.Module, values: Tensor) -> Tensor:
    """Batch norm of [B, M*C, ...]: the networks are so many more channels."""
    weights, statistics = stack.weights.views, stack.statistics.views
    return functional.batch_norm(
        values,
        statistics[f"{name}.running_mean"].view(-1),
        statistics[f"{name}.running_var"].view(-1),
        weights[f"{name}.weight"].flatten(),
        weights[f"{name}.bias"].flatten(),
        training=True,
    )


def _norm_of_features(stack: StackedModel, name: str, layer: nn.Module, values: Tensor) -> Tensor:
    channels = values.flatten(0, 1).mT  # [B, M*F]
    return _norm(stack, name, layer, channels).mT.view(values.shape)  # [M, F, B]


def _to_images(stack: StackedModel, name: str, layer: nn.Module, values: Tensor) -> Tensor:
    channels, height, width = layer.unflattened_size  # type: ignore[misc]
    images = values.flatten(0, 1).mT.reshape(-1, stack.size * int(channels), int(height), int(width))  # [B, M*C, H, W]
    return images.contiguous(memory_format=torch.channels_last)  # pooling and grouped convolution are twice as fast


def _to_features(stack: StackedModel, name: str, layer: nn.Module, values: Tensor) -> Tensor:
    return values.reshape(len(values), stack.size, -1).permute(1, 2, 0)  # [M, C*H*W, B]


def _elementwise(stack: StackedModel, name: str, layer: nn.Module, values: Tensor) -> Tensor:
    return layer(values)  # type: ignore[no-any-return]


_Compute = Callable[[StackedModel, str, nn.Module, Tensor], Tensor]

_COMPUTE: dict[type[nn.Module], _Compute] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.BatchNorm1d: _norm_of_features,
    nn.BatchNorm2d: _norm,
    nn.MaxPool2d: _elementwise,
    nn.Unflatten: _to_images,
    nn.Flatten: _to_features,
    **{type(make()): _elementwise for make in ACTIVATIONS.values()},
}
