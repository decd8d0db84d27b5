"""What every operator does to the factors that values carry, a file for each kind of operator."""

from wembed.symmetry.trace.rules.table import FLOW_RULES

__all__ = ["FLOW_RULES"]
