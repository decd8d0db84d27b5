"""A network and its prediction in; which of its layers move the prediction out.

The weights of one layer after another are put in random order, which leaves their distribution and takes away what they
say together, and the network is embedded and predicted anew. What a layer's number says is how much the prediction
falls by that, as a mean over draws: of an accuracy in its own unit, of a class in the probability of that class. It
says what the predictor looks at, not what the network would lose.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint import Checkpoint, in_memory
from wembed.encoder import Item
from wembed.errors import WembedError
from wembed.prediction.answers import Answer, Fitted
from wembed.prediction.examples import Vectors

MOST_PARAMETERS = 20_000_000  # of a network that is explained: all of it lies in memory, once per layer

_DRAWS = 3
_WEIGHT_AXES = 2  # at least, of a weight; biases and norms stay as they are


@dataclass(frozen=True)
class LayerEffect:
    """How much a prediction falls when a layer's weights are put in random order.

    Args:
        layer: its name.
        effect: by which the number, or the probability of the class, falls; below 0 where it rises.
    """

    layer: str
    effect: float


def explain(
    item: Item, vectors: Callable[[Sequence[Item]], Vectors], fitted: Fitted, answer: Answer, seed: int = 0
) -> list[LayerEffect]:
    """The layers of a network and what each does to a prediction, those that do most first.

    Args:
        item: the network.
        vectors: embeds networks, as the predictor was fitted on, [N] to [N, D].
        fitted: what predicts.
        answer: what it told of this network; [] where that is nothing.
        seed: of the random orders.

    Raises:
        WembedError: the network is too large.
    """
    if answer.value is None:
        return []
    checkpoint, spec = item
    if checkpoint.parameters > MOST_PARAMETERS:
        found = f"found {checkpoint.parameters:,} parameters, expected at most {MOST_PARAMETERS:,}"
        raise WembedError(f"{checkpoint.path}: too large to explain, {found}", "predict it without --explain")
    tensors = {name: checkpoint.read(name).astype(np.float32) for name in spec.tensors}
    (whole,) = fitted.raw(vectors([(_with(checkpoint, tensors, {}), spec)]), answer)
    effects = []
    for number, (layer, names) in enumerate(_layers(tensors).items()):
        generator = np.random.default_rng([seed, number])
        drawn = [{name: generator.permuted(tensors[name].ravel()) for name in names} for _ in range(_DRAWS)]
        copies = [(_with(checkpoint, tensors, changed), spec) for changed in drawn]
        effects.append(LayerEffect(layer, float(whole - fitted.raw(vectors(copies), answer).mean())))
    return sorted(effects, key=lambda found: -abs(found.effect))


def _layers(tensors: Mapping[str, NDArray[np.float32]]) -> dict[str, list[str]]:
    """Layer -> its weights."""
    layers: dict[str, list[str]] = {}
    for name, values in tensors.items():
        if values.ndim >= _WEIGHT_AXES and values.size > 1:
            layers.setdefault(name.rpartition(".")[0] or name, []).append(name)
    return layers


def _with(
    checkpoint: Checkpoint, tensors: Mapping[str, NDArray[np.float32]], changed: Mapping[str, NDArray[np.float32]]
) -> Checkpoint:
    """The network, with some of its tensors changed."""
    replaced = {name: changed[name].reshape(values.shape) for name, values in tensors.items() if name in changed}
    return in_memory({**tensors, **replaced}, checkpoint.metadata, checkpoint.path)
