"""Merging by embedding: aligned averages, moved until a frozen encoder sees them between their endpoints.

The embedding of an average is not the average of the embeddings, and there are many ways to a given embedding, most of
them of no use: a descent on the embedding alone leads to networks that look right and are worse. So networks move where
the encoder looks first, in their answers to its probes, in units of the endpoints' distance, and no farther than they
have to.
"""

from wembed.merging.embedding.merge import Steered, merge_by_embedding, merge_each_by_embedding

__all__ = ["Steered", "merge_by_embedding", "merge_each_by_embedding"]
