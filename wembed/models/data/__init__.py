"""Data sets by name or from files, split once and for all into training, validation and test part."""

from wembed.models.data.dataset import IGNORED, DataKind, Dataset
from wembed.models.data.file import DataFile
from wembed.models.data.load import DATASETS, load_dataset

__all__ = ["DATASETS", "IGNORED", "DataFile", "DataKind", "Dataset", "load_dataset"]
