"""How an encoder is trained."""

from dataclasses import asdict, dataclass
from typing import Literal

from wembed.device import CPU

ModelType = Literal["gnn", "pna", "mlp", "pca-mlp"]
Objective = Literal["both", "kinship", "accuracy"]
MODEL_TYPES: tuple[ModelType, ...] = ("gnn", "mlp", "pca-mlp")  # those that an experiment trains
Precision = Literal["float32", "bfloat16"]
FLAT: tuple[ModelType, ...] = ("mlp", "pca-mlp")  # they know one structure

_HOW = ("device", "precision", "accumulate", "compile", "deterministic")


@dataclass(frozen=True)
class TrainOptions:
    """How an encoder is trained; defaults fit a zoo of some hundred runs.

    Args:
        model_type: which encoder.
        hidden_dim: width of each of the two parts of a gnn's node states; a pna's are twice as wide, flat layers four
            times.
        global_dim: length of the learned embedding.
        message_passing_steps: sweeps of a gnn; a pna has a layer more.
        probes: learned inputs that a gnn pushes through networks; none where only kinship is learned.
        batch_size: pairs of networks per step.
        num_epochs: at most.
        learning_rate: of AdamW at its peak.
        weight_decay: of AdamW.
        temperature: of InfoNCE.
        patience: epochs without a smaller validation loss before training stops.
        views: of every network, itself included.
        components: principal components of pca-mlp.
        objective: what is made small: relatives apart (`kinship`), accuracies misread (`accuracy`), or both.
        hold_out: patterns of the architectures that are not trained on, see `assign_splits`; "" for none.
        seed: of the split, the initial weights and all that is drawn.
        device: where it runs.
        precision: of products; weights and sums are always float32, and so are products where a device has no other.
        accumulate: parts that a step's networks are run in, one after the other: the same gradient in less memory.
        compile: whether the encoder is compiled first, which takes minutes.
        deterministic: whether only algorithms run that give the same result every time.
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
    probes: int = 128
    objective: Objective = "both"
    hold_out: str = ""
    seed: int = 0
    device: str = CPU
    precision: Precision = "float32"
    accumulate: int = 1
    compile: bool = False
    deterministic: bool = False

    @property
    def told(self) -> dict[str, object]:
        """What the result depends on, but for rounding: how it is run does not count, full precision is not told."""
        kept = {name: value for name, value in asdict(self).items() if name not in _HOW}
        return kept if self.precision == "float32" else {**kept, "precision": self.precision}
