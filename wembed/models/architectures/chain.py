"""A plain Sequential in; the order of its steps out, in the words in which its symmetries are declared."""

from torch import nn

from wembed.models.architectures.base import ACTIVATIONS

_STEP_OF_LAYER = {nn.MaxPool2d: "max_pool", nn.Flatten: "flatten"} | {
    type(make()): name for name, make in ACTIVATIONS.items()
}
_NO_STEP = (nn.Unflatten, nn.AdaptiveAvgPool2d)  # these change nothing for the order and scale of channels


def chain_steps(module: nn.Sequential) -> list[str]:
    """The steps of a network in the words of `symmetry.declare_spec`: modules, activations, max_pool, flatten."""
    return [
        _STEP_OF_LAYER.get(type(layer), name)
        for name, layer in module.named_children()
        if not isinstance(layer, _NO_STEP)
    ]
