"""Embedding what isn't embedded yet: of a whole zoo, or of given checkpoints.

Checkpoints are opened ahead, those of one structure are embedded together, and every chunk is one commit: a killed run
loses one chunk at most. A file that can't be read is a failure beside the others, never the end of the run.
"""

from wembed.zoo.embed.current import is_current
from wembed.zoo.embed.given import embed_given
from wembed.zoo.embed.results import Embedded, EmbedResult, with_vectors
from wembed.zoo.embed.shard import Shard
from wembed.zoo.embed.whole import embed_zoo

__all__ = ["EmbedResult", "Embedded", "Shard", "embed_given", "embed_zoo", "is_current", "with_vectors"]
