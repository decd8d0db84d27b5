"""Transformers beyond permutations: invertible maps inside heads, and orthogonal maps of pre-norm residual streams.

`nearer` and `nearer_with_data` move the second of two networks without changing what it computes.
"""

from wembed.merging.continuous.learned import nearer_with_data
from wembed.merging.continuous.nearer import applies, nearer

__all__ = ["applies", "nearer", "nearer_with_data"]
