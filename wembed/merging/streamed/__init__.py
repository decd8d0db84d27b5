"""Networks on disk in, their merge on disk out: tensor by tensor, block by block, whole or not at all.

Files of any size are merged in the memory of a few tensors. `wembed.merging.methods` says what is done to the numbers.
"""

from wembed.merging.streamed.mergeable import WRITABLE
from wembed.merging.streamed.shards import Form, whole_of
from wembed.merging.streamed.source import Source
from wembed.merging.streamed.write import write_weights

__all__ = [
    "WRITABLE",
    "Form",
    "Source",
    "whole_of",
    "write_weights",
]
