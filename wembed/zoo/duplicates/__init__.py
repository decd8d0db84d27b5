"""A zoo in; which of its checkpoints are one network, up to the order and scale of neurons and to rounding, out."""

from wembed.zoo.duplicates.find import Duplicate, Duplicates, find_duplicates
from wembed.zoo.duplicates.vectors import ZooVectors, zoo_vectors

__all__ = ["Duplicate", "Duplicates", "ZooVectors", "find_duplicates", "zoo_vectors"]
