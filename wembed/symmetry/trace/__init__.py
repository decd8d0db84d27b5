"""Tier `traced`: a module's symmetries, found by following its graph."""

from wembed.symmetry.trace.trace_spec import trace_spec
from wembed.symmetry.trace.traced import Traced, trace_axes

__all__ = ["Traced", "trace_axes", "trace_spec"]
