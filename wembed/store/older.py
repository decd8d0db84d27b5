"""A table that an earlier version of wembed wrote, with fewer columns, in; one of today's schema out.

Rows that have no id get theirs when the table is brought in line with the catalog. Hashes of tensors stay unknown.
"""

from collections.abc import Iterator
from typing import Any

from wembed.store.place import load_lance, open_dataset, storage_options, unwritable
from wembed.store.schema import CATALOG_COLUMNS, KEY_COLUMNS, TENSOR_COLUMNS

BLOCK = 8192  # rows


def is_older(schema: Any) -> bool:  # a pyarrow schema, which has no types
    """Whether a table lacks columns that it would have today."""
    return not {"id", *CATALOG_COLUMNS, *TENSOR_COLUMNS} <= set(schema.names)


def renew(dataset: Any, schema: Any) -> Any:  # Lance and pyarrow have no types
    """Gives a table today's schema in one commit; of several processes that do so at once one does.

    Raises:
        WembedError: if it can't be written.
    """
    lance = load_lance()
    uri, options = dataset.uri, storage_options(dataset.uri)
    try:
        rows = _rows(dataset, schema)
        fragments = lance.fragment.write_fragments(rows, uri, schema, mode="overwrite", storage_options=options)
        whole = lance.LanceOperation.Overwrite(schema, fragments)
        return lance.LanceDataset.commit(
            uri, whole, read_version=dataset.version, max_retries=0, storage_options=options
        )
    except (OSError, ValueError, RuntimeError) as error:
        newest = open_dataset(uri)
        if is_older(newest.schema):
            raise unwritable(uri, error) from error
        return newest


def _rows(dataset: Any, schema: Any) -> Iterator[Any]:
    """Batches of the new schema; a key that two processes put in at once comes once."""
    import pyarrow as pa

    names = [name for name in KEY_COLUMNS if name in dataset.schema.names]
    seen: set[tuple[str, ...]] = set()
    for batch in dataset.to_batches(batch_size=BLOCK):
        keys = list(zip(*(batch[name].to_pylist() for name in names), strict=True))
        first = {key: place for place, key in reversed(list(enumerate(keys))) if key not in seen}
        seen |= first.keys()
        kept = batch.take(pa.array(sorted(first.values()), pa.int64()))
        columns = [_column(kept, field) for field in schema]
        yield pa.record_batch(columns, schema=schema)


def _column(batch: Any, field: Any) -> Any:  # pyarrow has no types
    import pyarrow as pa

    if field.name in batch.schema.names:
        return batch[field.name]
    return pa.array([""] * batch.num_rows) if field.name == "id" else pa.nulls(batch.num_rows, field.type)
