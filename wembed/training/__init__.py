"""Training an encoder on a zoo: views of one run together, others apart, accuracies read off."""

from wembed.training.data import Data, select_data
from wembed.training.examples import Example
from wembed.training.history import LOG, Epoch
from wembed.training.options import MODEL_TYPES, ModelType, Objective, TrainOptions
from wembed.training.state import STATE
from wembed.training.train import (
    Learnt,
    Sides,
    Trained,
    Watch,
    epochs_before,
    train,
    train_examples,
    trained_before,
)

__all__ = [
    "LOG",
    "MODEL_TYPES",
    "STATE",
    "Data",
    "Epoch",
    "Example",
    "Learnt",
    "ModelType",
    "Objective",
    "Sides",
    "TrainOptions",
    "Trained",
    "Watch",
    "epochs_before",
    "select_data",
    "train",
    "train_examples",
    "trained_before",
]
