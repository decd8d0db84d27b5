"""A zoo in; the likely parents of its checkpoints, and how far that agrees with the catalog, out."""

from wembed.zoo.lineage.agreement import Agreement, agreement
from wembed.zoo.lineage.descent import Descent
from wembed.zoo.lineage.files import check_suffix, save_lineage
from wembed.zoo.lineage.find import Lineage, find_lineage

__all__ = ["Agreement", "Descent", "Lineage", "agreement", "check_suffix", "find_lineage", "save_lineage"]
