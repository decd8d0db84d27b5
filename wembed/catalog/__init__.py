"""The catalog of a zoo: which checkpoints it holds and what is known about each of them."""

from wembed.catalog.family import Branch, Family, find_family
from wembed.catalog.ids import assign_id
from wembed.catalog.locate import Located, Locator, find_row, find_rows, locate
from wembed.catalog.metadata import GivenMetadata, load_metadata, parse_value
from wembed.catalog.rows import COLUMNS, DESCRIPTIVE_COLUMNS, CatalogRow
from wembed.catalog.splits import SPLITS, Split, assign_splits, check_splits, families
from wembed.catalog.zoo import HUB_LOCK, LAYOUT, Zoo, absolute

__all__ = [
    "COLUMNS",
    "DESCRIPTIVE_COLUMNS",
    "HUB_LOCK",
    "LAYOUT",
    "SPLITS",
    "Branch",
    "CatalogRow",
    "Family",
    "GivenMetadata",
    "Located",
    "Locator",
    "Split",
    "Zoo",
    "absolute",
    "assign_id",
    "assign_splits",
    "check_splits",
    "families",
    "find_family",
    "find_row",
    "find_rows",
    "load_metadata",
    "locate",
    "parse_value",
]
