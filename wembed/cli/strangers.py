"""Two checkpoints in; networks of their structure that are no kin of them, from a zoo, out."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import Checkpoint
from wembed.errors import WembedError

if TYPE_CHECKING:
    from wembed.encoder import Item
    from wembed.kinship import Pair


class Strangers(NamedTuple):
    """What a pair is held against.

    Args:
        items: those that could be opened, of the pair's data set.
        others: the same of other data sets, or nobody knows which.
        warnings: what is passed over, and what is out of date, in words.
    """

    items: "list[Item]"
    others: "list[Item]"
    warnings: list[str]


def open_strangers(zoo: Zoo, rows: Sequence[CatalogRow], first: Checkpoint, second: Checkpoint, seed: int) -> Strangers:
    """Opens what a pair is held against.

    Args:
        zoo: where they are.
        rows: of the zoo.
        first: a checkpoint, in the zoo or not.
        second: another.
        seed: draws them where there are many.
    """
    import numpy as np

    from wembed.kinship import MOST_STRANGERS, choose_strangers

    contents = {zoo.stored_path(one.path): one.content_hash() for one in (first, second)}
    own = [row for row in rows if row.path in contents]
    pair = _pair((first, second), frozenset({*contents.values(), *(row.id for row in own)}))
    chosen = choose_strangers(rows, pair, MOST_STRANGERS, np.random.default_rng(seed))
    failures: list[WembedError] = []
    items, others = (_opened(zoo, of_a_kind, failures) for of_a_kind in chosen)
    warnings = [stale(row) for row in own if row.content != contents[row.path]]
    if failures:
        warnings.append(f"{len(failures)} strangers are passed over, first {failures[0].message}")
    return Strangers(items, others, warnings)


def stale(row: CatalogRow) -> str:
    """What to say of a row whose file has changed."""
    again = f"take it in again with `wembed zoo add {shlex.quote(row.path)}`"
    return f"{row.id} has changed since it was taken in: {again}"


def _pair(checkpoints: tuple[Checkpoint, Checkpoint], names: frozenset[str]) -> "Pair":
    from wembed.kinship import Pair
    from wembed.symmetry import structure_signature

    datasets = {one.metadata["dataset"] for one in checkpoints if one.metadata.get("dataset")}
    return Pair(structure_signature(checkpoints[0]), names, frozenset(datasets))


def _opened(zoo: Zoo, rows: Sequence[CatalogRow], failures: list[WembedError]) -> "list[Item]":
    """Opens checkpoints; adds to the failures why others can't be."""
    from wembed.checkpoint import open_checkpoint
    from wembed.zoo import spec_of_row

    found: list[Item] = []
    for row in rows:
        try:
            checkpoint = open_checkpoint(zoo.path_of(row))
            found.append((checkpoint, spec_of_row(zoo, checkpoint, row)))
        except WembedError as error:
            failures.append(error)
    return found
