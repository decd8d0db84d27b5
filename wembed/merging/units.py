"""What a layer reads or writes in; its units first out."""

from torch import Tensor, nn


def units_first(layer: nn.Module, values: Tensor) -> Tensor:
    """Values with the axis of their units first, [n, ...]: of convolutions the second, of all other layers the last."""
    return values.movedim(1 if isinstance(layer, nn.modules.conv._ConvNd) else -1, 0)
