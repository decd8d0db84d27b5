"""Where embeddings are kept: one table per encoder, on a disk or an object store."""

from wembed.store.block import Block
from wembed.store.filters import in_brackets
from wembed.store.index import Index
from wembed.store.place import UnwritableError, is_remote
from wembed.store.schema import CATALOG_COLUMNS, PLAIN_COLUMNS, TENSOR_COLUMNS, Key, Listed, Row, Value, Vectors, spelt
from wembed.store.table import EmbeddingTable

__all__ = [
    "CATALOG_COLUMNS",
    "PLAIN_COLUMNS",
    "TENSOR_COLUMNS",
    "Block",
    "EmbeddingTable",
    "Index",
    "Key",
    "Listed",
    "Row",
    "UnwritableError",
    "Value",
    "Vectors",
    "in_brackets",
    "is_remote",
    "spelt",
]
