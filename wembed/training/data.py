"""The rows of a zoo in; those that a training reads, and the side of the split of each, out."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wembed.catalog import CatalogRow, Split, assign_splits, check_splits
from wembed.errors import NotFoundError
from wembed.training.options import FLAT, TrainOptions

_LEAST_RUNS = 4  # per side: fewer have no strangers to tell apart


@dataclass(frozen=True)
class Data:
    """The rows that a training reads.

    Args:
        train: of the training runs.
        validation: of the validation runs.
        structure: the one structure that a flat encoder knows; "" for all.
    """

    train: tuple[CatalogRow, ...]
    validation: tuple[CatalogRow, ...]
    structure: str = ""

    @property
    def hash(self) -> str:
        """Sixteen hex digits of what is trained on, and of what is known of its kin."""
        lines = sorted(json.dumps(_known(row)) for row in self.rows)
        return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:16]

    @property
    def rows(self) -> tuple[CatalogRow, ...]:
        """All of them."""
        return (*self.train, *self.validation)

    @staticmethod
    def runs(rows: Sequence[CatalogRow]) -> list[str]:
        """The runs of some rows."""
        return sorted({row.run or row.id for row in rows})


def select_data(rows: Sequence[CatalogRow], options: TrainOptions) -> Data:
    """Which rows a training reads: all of its two splits, or of the structure with most runs for flat encoders.

    Raises:
        NotFoundError: there are too few runs.
    """
    splits = assign_splits(rows, options.seed, options.hold_out)
    structure = _commonest_structure(rows, splits) if options.model_type in FLAT else ""
    kept = [row for row in rows if not structure or row.structure == structure]
    check_splits(kept, splits)
    data = Data(_side(kept, splits, "train"), _side(kept, splits, "validation"), structure)
    for name, side in (("training", data.train), ("validation", data.validation)):
        count = len(data.runs(side))
        if count < _LEAST_RUNS:
            hint = "`wembed zoo build` makes a zoo with many runs"
            raise NotFoundError(f"{count} {name} runs in the zoo, at least {_LEAST_RUNS} are needed", hint)
    return data


def _known(row: CatalogRow) -> list[object]:
    what = [row.run or row.id, row.content, row.spec, -1.0 if row.accuracy is None else row.accuracy]
    return [*what, row.id, row.step, row.parent, row.other_parent, row.init_id, row.data_order_id]


def _side(rows: Sequence[CatalogRow], splits: Mapping[str, Split], side: Split) -> tuple[CatalogRow, ...]:
    return tuple(row for row in rows if splits[row.id] == side)


def _commonest_structure(rows: Sequence[CatalogRow], splits: Mapping[str, Split]) -> str:
    """The structure that most training runs have."""
    runs = {(row.run or row.id): row.structure for row in rows if splits[row.id] == "train"}
    counts = Counter(runs.values())
    return min(counts, key=lambda structure: (-counts[structure], structure), default="")
