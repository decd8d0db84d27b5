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

from wembed.device import CPU, to_device
from wembed.models.architectures import ACTIVATIONS
from wembed.zoo.builder.training.trainee import Tensors


class StackedModel:
    """M networks of one architecture, in training mode.

    Args:
        template: one such network; only its layers and shapes are read.
        starts: the tensors of each of the M networks, by the template's names.
        device: where they are kept.
    """

    def __init__(self, template: nn.Sequential, starts: Sequence[Tensors], device: str = CPU) -> None:
        self.size = len(starts)
        self.template = template
        self.parameters = {
            name: to_device(torch.from_numpy(np.stack([start[name] for start in starts])), device).requires_grad_()
            for name, _ in template.named_parameters()
        }
        self.statistics = {
            name: to_device(torch.from_numpy(np.stack([start[name] for start in starts])), device)
            for name, buffer in template.named_buffers()
            if buffer.is_floating_point()
        }
        self._order = [name for name in template.state_dict() if name in self.parameters or name in self.statistics]

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [M, classes, B] of inputs [M, F, B]; updates running statistics, as training does."""
        values = inputs
        for name, layer in self.template.named_children():
            values = _COMPUTE[type(layer)](self, name, layer, values)
        return values

    def copied_statistics(self) -> dict[str, Tensor]:
        """The running statistics as they are now, which the next forward pass changes."""
        return {name: value.clone() for name, value in self.statistics.items()}

    def tensors_of(self, model: int, statistics: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
        """A copy of the tensors of one network, with the statistics given, in the order of the template's."""
        found = {**self.parameters, **statistics}
        return {name: found[name][model].detach().cpu().numpy().copy() for name in self._order}


def _linear(stack: StackedModel, name: str, layer: nn.Module, values: Tensor) -> Tensor:
    weight, bias = stack.parameters[f"{name}.weight"], stack.parameters[f"{name}.bias"]
    return torch.baddbmm(bias[:, :, None], weight, values)  # [M, O, B]


def _convolution(stack: StackedModel, name: str, layer: nn.Conv2d, values: Tensor) -> Tensor:
    weight, bias = stack.parameters[f"{name}.weight"], stack.parameters[f"{name}.bias"]
    stride, padding = layer.stride, layer.padding
    return functional.conv2d(values, weight.flatten(0, 1), bias.flatten(), stride, padding, groups=stack.size)


def _batch_norm(stack: StackedModel, name: str, layer: nn.BatchNorm2d, values: Tensor) -> Tensor:
    """Batch norm of [B, M*C, ...]: the networks are so many more channels."""
    return functional.batch_norm(
        values,
        stack.statistics[f"{name}.running_mean"].view(-1),
        stack.statistics[f"{name}.running_var"].view(-1),
        stack.parameters[f"{name}.weight"].flatten(),
        stack.parameters[f"{name}.bias"].flatten(),
        training=True,
        eps=layer.eps,
    )


def _batch_norm_of_features(stack: StackedModel, name: str, layer: nn.BatchNorm2d, values: Tensor) -> Tensor:
    channels = values.flatten(0, 1).mT  # [B, M*F]
    return _batch_norm(stack, name, layer, channels).mT.view(values.shape)  # [M, F, B]


def _layer_norm(stack: StackedModel, name: str, layer: nn.LayerNorm, values: Tensor) -> Tensor:
    weight, bias = stack.parameters[f"{name}.weight"], stack.parameters[f"{name}.bias"]
    variance, mean = torch.var_mean(values, 1, correction=0, keepdim=True)  # [M, 1, B]
    return torch.addcmul(bias[:, :, None], (values - mean) * (variance + layer.eps).rsqrt(), weight[:, :, None])


def _to_images(stack: StackedModel, name: str, layer: nn.Unflatten, values: Tensor) -> Tensor:
    channels, height, width = layer.unflattened_size
    images = values.flatten(0, 1).mT.reshape(-1, stack.size * int(channels), int(height), int(width))  # [B, M*C, H, W]
    return images.contiguous(memory_format=torch.channels_last)  # pooling and grouped convolution are twice as fast


def _to_features(stack: StackedModel, name: str, layer: nn.Module, values: Tensor) -> Tensor:
    return values.reshape(len(values), stack.size, -1).permute(1, 2, 0)  # [M, C*H*W, B]


def _as_it_is(stack: StackedModel, name: str, layer: nn.Module, values: Tensor) -> Tensor:
    return layer(values)  # type: ignore[no-any-return]


_COMPUTE: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.BatchNorm1d: _batch_norm_of_features,
    nn.BatchNorm2d: _batch_norm,
    nn.LayerNorm: _layer_norm,
    nn.MaxPool2d: _as_it_is,
    nn.AdaptiveAvgPool2d: _as_it_is,
    nn.Unflatten: _to_images,
    nn.Flatten: _to_features,
    **{type(make()): _as_it_is for make in ACTIVATIONS.values()},
}
