"""A table that many small commits went into in; the same in few fragments and without its old versions out."""

from datetime import timedelta
from typing import Any

SMALL = 32_768  # rows; a fragment with fewer is put together with others
MANY = 64  # small fragments
KEEP_VERSIONS = timedelta(days=1)  # a reader may still be at one
_CONFLICT = "commit conflict"


def tidy(dataset: Any) -> None:  # a Lance dataset, which has no types
    """Compacts a table once it has many small fragments; leaves that to another process that is at it."""
    small = [fragment for fragment in dataset.get_fragments() if fragment.physical_rows < SMALL]
    if len(small) <= MANY:
        return
    try:
        dataset.optimize.compact_files(target_rows_per_fragment=SMALL)
    except OSError as error:
        if _CONFLICT in str(error):
            return
        raise
    dataset.cleanup_old_versions(older_than=KEEP_VERSIONS)
