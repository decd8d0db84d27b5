"""The weighted average of networks, element by element."""

from collections.abc import Iterator, Sequence

from wembed.merging.methods.blocks import Blocks, Values


def linear(blocks: Blocks, weights: Sequence[float]) -> Iterator[Values]:
    """The weighted average: model soups (Wortsman et al., 2022, arXiv:2203.05482).

    Args:
        blocks: a tensor of the networks.
        weights: how much each counts; only their proportions matter.
    """
    total = sum(weights)
    shares = [weight / total for weight in weights]
    for block in blocks:
        yield summed(block.tensors, shares)


def summed(tensors: Sequence[Values], weights: Sequence[float]) -> Values:
    """The sum of arrays times their weights, in the widest dtype among them."""
    total = tensors[0] * weights[0]
    for tensor, weight in zip(tensors[1:], weights[1:], strict=True):
        total = total + tensor * weight
    return total
