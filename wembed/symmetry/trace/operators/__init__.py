"""One rule for each operator: which axes of its inputs and outputs must be permuted alike."""

from wembed.symmetry.trace.operators.table import AXIS_RULES

__all__ = ["AXIS_RULES"]
