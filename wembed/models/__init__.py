"""Data sets, architectures, and what rebuilds and runs a network from its file."""

from wembed.models.architectures import (
    CNN,
    GPT2,
    GRU,
    LSTM,
    MLP,
    T5,
    Architecture,
    BaseArchitecture,
    Bert,
    Llama,
    Mobile,
    ResNet,
    ViT,
    chain_steps,
)
from wembed.models.data import DATASETS, IGNORED, DataFile, DataKind, Dataset, load_dataset
from wembed.models.modules import ModelDescription, describe, initial_state, load_module, stored_tensors
from wembed.models.scores import Scores, cross_entropy, score

__all__ = [
    "CNN",
    "DATASETS",
    "GPT2",
    "GRU",
    "IGNORED",
    "LSTM",
    "MLP",
    "T5",
    "Architecture",
    "BaseArchitecture",
    "Bert",
    "DataFile",
    "DataKind",
    "Dataset",
    "Llama",
    "Mobile",
    "ModelDescription",
    "ResNet",
    "Scores",
    "ViT",
    "chain_steps",
    "cross_entropy",
    "describe",
    "initial_state",
    "load_dataset",
    "load_module",
    "score",
    "stored_tensors",
]
