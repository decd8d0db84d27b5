"""Two networks in one order of neurons in; layer by layer how alike they are, and which are the same, out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wembed.kinship.rounding import agree
from wembed.kinship.shared import Read, Shared, Values
from wembed.merging.matching.groups import compared

_LEAST = 1e-30


@dataclass(frozen=True)
class LayerKinship:
    """How two networks stand to each other in one layer: the tensors whose names differ in the last part alone.

    Args:
        layer: what the names have in common.
        kind: of the layer that the tensors belong to; `tensor` where they belong to none.
        similarity: cosine of the aligned weights, -1 to 1; None where one of the two is nothing but zeros.
        identical: whether all tensors agree within the rounding of the coarser of the two files; quantised weights of
            unknown scales, which are not compared otherwise, to the last bit.
        change: the norm of the difference of the aligned weights over that of the first's.
    """

    layer: str
    kind: str
    similarity: float | None
    identical: bool
    change: float


def layer_table(shared: Shared, first: Read, second: Read) -> tuple[LayerKinship, ...]:
    """The layers that two networks share, in the spec's order.

    Args:
        shared: the two networks.
        first: reads a tensor of the first network.
        second: reads one of the second, its neurons in the order of the first.
    """
    kinds = {name: layer.kind for layer in reversed(shared.spec.layers) for name in layer.tensors.values()}
    weights = set(compared(shared.spec))
    modules: dict[str, list[str]] = {}
    for name in shared.names:
        modules.setdefault(_module(name), []).append(name)
    apart = {_module(name) for name in shared.apart}
    rows = []
    for module, names in modules.items():
        found = [_Tensor.of(name in weights, first(name), second(name), shared.rounding(name)) for name in names]
        row = _row(module, next((kinds[name] for name in names if name in kinds), "tensor"), found)
        rows.append(replace(row, identical=row.identical and module not in apart))
    return tuple(rows)


def _module(name: str) -> str:
    return name.rpartition(".")[0] or name


def mean_similarity(layers: Sequence[LayerKinship]) -> float | None:
    """The mean over layers that have one."""
    found = [layer.similarity for layer in layers if layer.similarity is not None]
    return sum(found) / len(found) if found else None


@dataclass(frozen=True)
class _Tensor:
    product: float
    squares: tuple[float, float]
    difference: float
    identical: bool

    @classmethod
    def of(cls, is_weight: bool, one: Values, other: Values, roundoff: float) -> "_Tensor":
        identical = agree(one, other, roundoff)
        if not is_weight:
            return cls(0.0, (0.0, 0.0), 0.0, identical)
        first, second = (values.astype(np.float64, copy=False) for values in (one, other))
        squares = float(np.vdot(first, first)), float(np.vdot(second, second))
        difference = 0.0 if np.array_equal(one, other) else float(np.square(first - second).sum())
        return cls(float(np.vdot(first, second)), squares, difference, identical)


def _row(module: str, kind: str, tensors: Sequence[_Tensor]) -> LayerKinship:
    first, second = (math.sqrt(sum(tensor.squares[side] for tensor in tensors)) for side in (0, 1))
    difference = math.sqrt(sum(tensor.difference for tensor in tensors))
    identical = all(tensor.identical for tensor in tensors)
    product = sum(tensor.product for tensor in tensors)
    similarity = min(1.0, product / (first * second)) if first * second > _LEAST else None
    if similarity is not None and not difference:
        similarity = 1.0  # to the last bit
    return LayerKinship(module, kind, similarity, identical, difference / first if first > _LEAST else 0.0)
