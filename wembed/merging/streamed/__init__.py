"""Networks on disk in, their merge on disk out: tensor by tensor, block by block, whole or not at all.

Files of any size are merged in the memory of a few tensors. `wembed.merging.methods` says what is done to the numbers.
"""

from wembed.merging.streamed.mergeable import WRITABLE, check_mergeable
from wembed.merging.streamed.shards import WHOLE, Form, shards_of, written_tensors
from wembed.merging.streamed.source import Source
from wembed.merging.streamed.staging import staged
from wembed.merging.streamed.weight_file import bytes_of
from wembed.merging.streamed.write import Progress, Written, write_merged, write_weights

__all__ = [
    "WHOLE",
    "WRITABLE",
    "Form",
    "Progress",
    "Source",
    "Written",
    "bytes_of",
    "check_mergeable",
    "shards_of",
    "staged",
    "write_merged",
    "write_weights",
    "written_tensors",
]
