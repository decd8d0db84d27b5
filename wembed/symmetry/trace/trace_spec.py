"""The traced tier's front door: a module in, its symmetries out, by following its graph twice."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from wembed.errors import WembedError
from wembed.symmetry.spec import SymmetrySpec
from wembed.symmetry.trace.assemble import assemble
from wembed.symmetry.trace.flow import Flow
from wembed.symmetry.trace.rotary import rotary_rules
from wembed.symmetry.trace.rules import FLOW_RULES
from wembed.symmetry.trace.traced import Traced, trace_axes


def trace_spec(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> SymmetrySpec:
    """The symmetries of a module, of tier `traced`; its weights are not read, so it may be on the meta device.

    Args:
        module: in evaluation mode.
        args: example inputs, as `forward` takes them.
        kwargs: the same, by name.

    Raises:
        WembedError: where torch.export cannot follow it.
    """
    try:
        return spec_of_trace(trace_axes(module, tuple(args), dict(kwargs or {})))
    except (ValueError, RecursionError) as error:
        name, hint = type(module).__name__, "give its symmetries with --spec"
        raise WembedError(f"the symmetries of {name} cannot be written down: {error}", hint) from error


def spec_of_trace(traced: Traced) -> SymmetrySpec:
    """The spec of a graph whose axes are known."""
    flow = Flow(traced, FLOW_RULES, rotary_rules(traced.graph))
    flow.follow()
    return assemble(flow)
