"""Where embeddings are kept: one table per encoder, on a disk or an object store."""

from wembed.store.table import EmbeddingTable, Key

__all__ = ["EmbeddingTable", "Key"]
