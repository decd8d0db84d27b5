"""Data sets, architectures, and what rebuilds and runs a network from its file."""

from wembed.models.architectures import Architecture, chain_steps
from wembed.models.data import DATASETS, Dataset, load_dataset
from wembed.models.modules import ModelDescription, describe, load_module
from wembed.models.scores import Scores, score

__all__ = [
    "DATASETS",
    "Architecture",
    "Dataset",
    "ModelDescription",
    "Scores",
    "chain_steps",
    "describe",
    "load_dataset",
    "load_module",
    "score",
]
