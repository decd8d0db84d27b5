"""A place in; the table there, which is made if it isn't there yet, out."""

from typing import Any

from wembed.store.place import NoTableError, load_lance, open_dataset, storage_options


def create(uri: str, schema: Any) -> Any:  # pyarrow and Lance have no types
    """Gives the table at a place, without rows if it was not there.

    `lance.write_dataset` lets several creations at once overwrite each other. A commit that isn't tried again does not:
    one process makes the first version, and the others find it.
    """
    lance = load_lance()
    try:
        empty = lance.LanceOperation.Overwrite(schema, [])
        lance.LanceDataset.commit(uri, empty, max_retries=0, storage_options=storage_options(uri))
    except OSError as error:
        try:
            return open_dataset(uri)
        except NoTableError:
            raise error from None
    return open_dataset(uri)
