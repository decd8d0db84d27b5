"""A checkpoint in; what it makes of its inputs if all activations are dropped, as a unit vector, out.

The product of a network's weights, outputs by inputs, doesn't change when hidden neurons are reordered or rescaled, and
networks that learned the same data have much of it in common, whatever their widths; those that learned other data of
the same shape have nothing. An embedding that is blind to the places of inputs can't tell them apart. Legend: N nodes,
C input codes, T target nodes, S source nodes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wembed.encoder import Item, identity_of, unit_rows
from wembed.graph import Block, WeightGraph, build_graph

State = NDArray[np.float64]

_INPUTS, _OUTPUTS = 64, 16  # codes; up to as many places have a code of their own, of more each has random signs
_MOST_ENTRIES = 1 << 25  # of larger networks there is none: their weights would be read in full for it
_VERSION = 1


class Transfer:
    """The encoder of linear maps from inputs to outputs; zeros where a network has no such map."""

    name = "transfer"
    dimension = _INPUTS * _OUTPUTS

    def __init__(self) -> None:
        self.id = identity_of(self.name, {"inputs": _INPUTS, "outputs": _OUTPUTS, "version": _VERSION})

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder."""
        vectors = [_transfer(build_graph(*item)).ravel() for item in items]
        return unit_rows(np.array(vectors).reshape(len(items), self.dimension))


def _transfer(graph: WeightGraph) -> State:
    """Outputs by inputs, coded, [_OUTPUTS, _INPUTS]."""
    nothing = np.zeros((_OUTPUTS, _INPUTS))
    if graph.entries > _MOST_ENTRIES:
        return nothing
    states: dict[str, State] = {}
    last = ""
    for block in graph.blocks:
        if block.source not in states:
            group = graph.groups[block.source]
            states[block.source] = _codes(group.size, _INPUTS) if group.ordered else np.zeros((group.size, _INPUTS))
        message = _message(block, states[block.source])
        states[block.target] = states.get(block.target, 0.0) + message
        if graph.groups[block.target].ordered:
            last = block.target
    if not last:
        return nothing
    outputs = states[last] - states[last].mean(0)  # [T, C]; what all classes share changes no answer
    return np.asarray(_codes(len(outputs), _OUTPUTS).T @ outputs)


def _message(block: Block, state: State) -> State:
    """What a layer passes on, [T, C], its weights brought to one scale."""
    weight = block.weight()
    weight = weight.reshape(*weight.shape[:2], -1)  # [T, S, taps]
    signs = _signs(weight.shape[2], state.shape[1])  # [taps, C]
    scale = np.sqrt(np.square(weight).mean() * weight.shape[1] * weight.shape[2]) or 1.0
    parts = (weight[:, :, tap] @ (state * signs[tap]) for tap in range(weight.shape[2]))
    return np.asarray(sum(parts) / scale)


def _codes(count: int, length: int) -> State:
    """The code of each place, [N, C]."""
    if count <= length:
        return np.eye(count, length)
    return np.where(np.random.RandomState(count).rand(count, length) < 0.5, -1.0, 1.0)  # its stream never changes


def _signs(taps: int, length: int) -> State:
    """What tells the taps of a kernel or the pixels of a flatten apart, [taps, C]."""
    if taps == 1:
        return np.ones((1, length))
    return np.where(np.random.RandomState(taps).rand(taps, length) < 0.5, -1.0, 1.0)
