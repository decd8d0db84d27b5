"""Training an encoder on a zoo: views of one run together, others apart, accuracies read off."""

from wembed.training.loop import Epoch
from wembed.training.options import MODEL_TYPES, ModelType, TrainOptions
from wembed.training.train import Data, Trained, select_data, train, trained_before

__all__ = [
    "MODEL_TYPES",
    "Data",
    "Epoch",
    "ModelType",
    "TrainOptions",
    "Trained",
    "select_data",
    "train",
    "trained_before",
]
