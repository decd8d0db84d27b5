"""A zoo in; what all tasks of an evaluation share out: its opened checkpoints, and who is on which side of the split.

Legend: N checkpoints.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import CatalogRow, Split, Zoo, assign_splits, check_splits, families
from wembed.checkpoint import in_memory
from wembed.encoder import Item
from wembed.errors import NotFoundError, WembedError
from wembed.prediction import ACCURACY, kin_of
from wembed.zoo import Failure, open_items

_MOST_HELD = 100_000  # parameters of a checkpoint that is kept in memory

Mask = NDArray[np.bool_]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class Material:
    """A zoo, opened once.

    Args:
        rows: its checkpoints, N of them.
        items: the same, opened.
        splits: the side of each, by id.
        failures: what could not be opened and is passed over.

    Raises:
        ValueError: a run is on two sides.
    """

    rows: list[CatalogRow]
    items: list[Item]
    splits: dict[str, Split]
    failures: list[Failure]

    def __post_init__(self) -> None:
        check_splits(self.rows, self.splits)

    @property
    def runs(self) -> NDArray[np.str_]:
        """The run of each; one of no run is a run of its own, [N]."""
        return np.array([run_of(row) for row in self.rows])

    @cached_property
    def families(self) -> NDArray[np.str_]:
        """The first id of what each is connected with by runs, initial weights, parents and merges, [N]."""
        return _first_of_family(self.rows)

    @cached_property
    def kin(self) -> NDArray[np.str_]:
        """The same families under names that stay when the zoo grows elsewhere, which calibration goes by, [N]."""
        return kin_of(self.rows)

    @cached_property
    def descents(self) -> NDArray[np.str_]:
        """The same by runs, parents and merges alone: twins, which share initial weights, are apart, [N]."""
        return _first_of_family([replace(row, init_id=None) for row in self.rows])

    @cached_property
    def configs(self) -> NDArray[np.str_]:
        """Data set and architecture of each, [N]."""
        return np.array([config_of(row) for row in self.rows])

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """Accuracies; not a number where they are unknown, [N]."""
        found = [ACCURACY.read(row) for row in self.rows]
        return np.array([np.nan if value is None else value for value in found], dtype=np.float64)

    @property
    def hash(self) -> str:
        """Sixteen hex digits of what is measured on: the weights, what they reach, and who stands on which side."""
        lines = sorted(
            [row.id, row.content, row.spec, repr(row.accuracy), run_of(row), self.splits[row.id]] for row in self.rows
        )
        return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:16]

    def side(self, split: Split) -> Mask:
        """Which checkpoints are on a side, [N]."""
        return np.array([self.splits[row.id] == split for row in self.rows])

    def where(self, condition: Callable[[CatalogRow], bool]) -> Mask:
        """Which checkpoints a condition holds for, [N]."""
        return np.array([condition(row) for row in self.rows])

    def finals(self) -> Mask:
        """Which checkpoints are the last snapshots of their runs, [N]."""
        last: dict[str, int] = {}
        for place, row in enumerate(self.rows):
            run = run_of(row)
            if run not in last or (row.step or 0) > (self.rows[last[run]].step or 0):
                last[run] = place
        mask = np.zeros(len(self.rows), dtype=bool)
        mask[list(last.values())] = True
        return mask


def gather(zoo: Zoo, split_seed: int, hold_out: str = "") -> Material:
    """Opens a zoo.

    Args:
        zoo: what to evaluate on.
        split_seed: of the split into training, validation and test runs.
        hold_out: patterns of the architectures that are the test split, see `assign_splits`; "" for runs.

    Raises:
        NotFoundError: no checkpoint of it can be opened, or no architecture matches.
    """
    rows, items, failures = [], [], []
    splits = assign_splits(zoo.rows(), split_seed, hold_out)
    for row in zoo.rows():
        try:
            (item,) = open_items(zoo, [row])
        except WembedError as error:
            failures.append(Failure(row.id, error))
        else:
            rows.append(row)
            items.append(_held(item))
    if not rows:
        hint = f"make checkpoints with `wembed zoo build --zoo {zoo.root}`"
        raise NotFoundError(f"the zoo at {zoo.root} holds nothing to evaluate on", hint)
    return Material(rows, items, splits, failures)


def _held(item: Item) -> Item:
    """A small checkpoint in memory, since every task reads it again; a large one as it is."""
    checkpoint, spec = item
    if checkpoint.parameters > _MOST_HELD or checkpoint.config:
        return item
    tensors = {n: np.array(checkpoint.read(n)) for n, info in checkpoint.tensors.items() if info.is_floating}
    return in_memory(tensors, checkpoint.metadata, checkpoint.path), spec


def _first_of_family(rows: Sequence[CatalogRow]) -> NDArray[np.str_]:
    first = {row.id: family[0].id for family in families(rows) for row in family}
    return np.array([first[row.id] for row in rows])


def run_of(row: CatalogRow) -> str:
    """The run of a checkpoint, or its own id."""
    return row.run or row.id


def config_of(row: CatalogRow) -> str:
    """Data set and architecture, which same-configuration strangers share."""
    return "-".join(part for part in (row.dataset, row.architecture) if part)
