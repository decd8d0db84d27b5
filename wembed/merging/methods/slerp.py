"""The way from one network to another along the arc between them."""

import math
from collections.abc import Iterator

from wembed.merging.methods.blocks import Block, Blocks, Values
from wembed.merging.methods.linear import summed
from wembed.merging.methods.products import inner_products

NEARLY_PARALLEL = 0.9995  # a cosine, as Shoemake's users have it: beyond it the arc is a line, and its sine too small


def slerp(blocks: Blocks, t: float) -> Iterator[Values]:
    """Spherical linear interpolation (Shoemake, 1985, Animating Rotation with Quaternion Curves).

    The angle is that between the two whole tensors. Nearly parallel ones are interpolated linearly, and so are those of
    which one is zero.

    Args:
        blocks: a tensor of two networks.
        t: the share of the second.
    """
    shares = _shares(_cosine(blocks), t)
    for block in blocks:
        yield summed(block.tensors, shares)


def _shares(cosine: float, t: float) -> tuple[float, float]:
    """How much of each network is in the point at t of the arc."""
    if abs(cosine) > NEARLY_PARALLEL:
        return 1.0 - t, t
    angle = math.acos(cosine)
    return math.sin((1.0 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)


def _cosine(blocks: Blocks) -> float:
    products = inner_products(blocks, _both)
    norms = math.sqrt(products[0, 0] * products[1, 1])
    return float(products[0, 1] / norms) if norms else 1.0


def _both(block: Block) -> list[Values]:
    return list(block.tensors)
