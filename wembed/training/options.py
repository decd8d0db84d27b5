"""How an encoder is trained."""

from dataclasses import dataclass
from typing import Literal, get_args

ModelType = Literal["gnn", "mlp", "pca-mlp"]
MODEL_TYPES: tuple[ModelType, ...] = get_args(ModelType)


@dataclass(frozen=True)
class TrainOptions:
    """How an encoder is trained; defaults fit a zoo of some hundred runs.

    Args:
        model_type: which encoder.
        hidden_dim: width of a gnn's node states; of the others' hidden layers four times that.
        global_dim: length of the learned embedding.
        message_passing_steps: sweeps of a gnn.
        batch_size: runs per step, two networks of each.
        num_epochs: at most.
        learning_rate: of AdamW at its peak.
        weight_decay: of AdamW.
        temperature: of InfoNCE.
        patience: epochs without a smaller validation loss before training stops.
        views: of every network, itself included.
        components: principal components of pca-mlp.
        seed: of the split, the initial weights and all that is drawn.
        device: where it runs.
    """

    model_type: ModelType = "gnn"
    hidden_dim: int = 32
    global_dim: int = 128
    message_passing_steps: int = 2
    batch_size: int = 64
    num_epochs: int = 30
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    temperature: float = 0.1
    patience: int = 15
    views: int = 4
    components: int = 64
    seed: int = 0
    device: str = "cpu"
