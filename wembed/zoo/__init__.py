"""What makes a zoo and keeps it: taking checkpoints in, embedding them, checking them."""

from wembed.zoo.add import AddedFile, AddOptions, AddResult, add
from wembed.zoo.embed import Embedded, EmbedResult, embed_given, embed_zoo
from wembed.zoo.encoders import encoder_name, find_encoder, open_table
from wembed.zoo.export import check_suffix, save_embeddings
from wembed.zoo.export_rows import export_rows, format_of, save_rows
from wembed.zoo.failure import Failure
from wembed.zoo.given import locate_all
from wembed.zoo.items import open_items
from wembed.zoo.progress import Progress, silent
from wembed.zoo.remove import Removal, plan_removal, remove
from wembed.zoo.specs import spec_for, spec_of_row
from wembed.zoo.verify import Problem, verify

__all__ = [
    "AddOptions",
    "AddResult",
    "AddedFile",
    "EmbedResult",
    "Embedded",
    "Failure",
    "Problem",
    "Progress",
    "Removal",
    "add",
    "check_suffix",
    "embed_given",
    "embed_zoo",
    "encoder_name",
    "export_rows",
    "find_encoder",
    "format_of",
    "locate_all",
    "open_items",
    "open_table",
    "plan_removal",
    "remove",
    "save_embeddings",
    "save_rows",
    "silent",
    "spec_for",
    "spec_of_row",
    "verify",
]
