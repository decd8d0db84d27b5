"""The learned encoders by their model type: untrained, how they take networks, and with trained weights."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from wembed.encoder.flat import Flat, FlatBatch, FlatConfig
from wembed.encoder.gnn import Gnn
from wembed.encoder.readout import GnnConfig
from wembed.graph import WeightGraph
from wembed.training.looks import Looks
from wembed.training.options import ModelType, TrainOptions
from wembed.training.pool import Networks

if TYPE_CHECKING:
    from wembed.encoder.pna import Pna

_FLAT_WIDTH = 4  # times hidden_dim
_PNA_WIDTH = 2  # times hidden_dim: a gnn's states have two parts of that width

Learned: TypeAlias = "Gnn | Flat | Pna"


def batch_of(model_type: ModelType) -> Callable[[Sequence[WeightGraph]], Networks]:
    """What makes of graphs of one structure what an encoder takes."""
    match model_type:
        case "gnn":
            return Gnn.batch
        case "pna":
            from wembed.encoder.pna import Pna  # torch_geometric takes seconds

            return Pna.batch
        case _:
            return Flat.batch


def untrained(options: TrainOptions, structure: str, examples: int, looks: Looks) -> Learned:
    """The encoder that training starts from, its features centred and scaled by what it is trained on.

    Args:
        options: how it is trained.
        structure: the one that a flat encoder knows.
        examples: number of networks that are trained on.
        looks: of these and their views.
    """
    encoder = _made(options, structure, examples, looks)
    encoder.module.calibrate(looks.networks)  # type: ignore[arg-type] # its own kind
    return encoder


def _made(options: TrainOptions, structure: str, examples: int, looks: Looks) -> Learned:
    match options.model_type:
        case "gnn":
            tasks = tuple((task.inputs, task.classes) for task in looks.tasks)
            sizes = (options.hidden_dim, options.global_dim, options.message_passing_steps)
            probes = 0 if options.objective == "kinship" else options.probes  # only accuracies train them
            return Gnn(GnnConfig(*sizes, probes, tasks, options.seed), device=options.device)
        case "pna":
            from wembed.encoder.pna import Pna, PnaConfig

            layers = options.message_passing_steps + 1
            config = PnaConfig(_PNA_WIDTH * options.hidden_dim, options.global_dim, layers, seed=options.seed)
            return Pna(config, device=options.device)
        case _:
            inputs = next(batch for batch in looks.networks if isinstance(batch, FlatBatch)).vectors.shape[1]
            components = min(options.components, inputs, examples) if options.model_type == "pca-mlp" else 0
            width = _FLAT_WIDTH * options.hidden_dim
            flat = FlatConfig(structure, inputs, components, width, options.global_dim, options.seed)
            return Flat(flat, device=options.device)


def with_weights(encoder: Learned, device: str) -> Learned:
    """The encoder that its trained module makes: its id follows from its weights."""
    weights = {name: value.detach().cpu() for name, value in encoder.module.state_dict().items()}
    return type(encoder)(encoder.config, weights, device)  # type: ignore[arg-type] # its own kind
