"""A module's axes: pass 1 of tracing, from a module to immutable axis expressions."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.fx import Graph

from wembed.symmetry.axes import Axis
from wembed.symmetry.spec import Atom
from wembed.symmetry.trace.atoms import Axes, leaves
from wembed.symmetry.trace.naming import Names, atom_of, expression, named
from wembed.symmetry.trace.operators import AXIS_RULES
from wembed.symmetry.trace.parents import Evidence, parents_of, stand_once
from wembed.symmetry.trace.program import Program, program_of
from wembed.symmetry.trace.propagation import Propagation, Value

ValueAxes = tuple[Axis, ...] | tuple[tuple[Axis, ...], ...]


@dataclass(frozen=True)
class Traced:
    """A graph whose axes are known.

    Args:
        graph: functional, of ATen operators.
        parameters: placeholder name -> state_dict name, for all floating tensors that are used.
        atoms: name -> atom, for all that stand in a tensor.
        tensors: state_dict name -> axes; tied copies have the same.
        values: node name -> axes of its value, or of each of its values; an axis of size 1 is an empty product.
        unknown: operator name -> how often it was not understood.
        sizes: name -> size of every atom, also of those that stand in values alone.
        copies: the tensors that stand in the state_dict under several names.
    """

    graph: Graph
    parameters: Mapping[str, str]
    atoms: Mapping[str, Atom]
    tensors: Mapping[str, tuple[Axis, ...]]
    values: Mapping[str, ValueAxes]
    unknown: Mapping[str, int]
    sizes: Mapping[str, int]
    copies: frozenset[str] = frozenset()


def trace_axes(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Traced:
    """Which axes of a module's tensors and values are permuted alike; weights are not read.

    Args:
        module: in evaluation mode, on the meta device perhaps.
        args: example inputs, as `forward` takes them.
        kwargs: the same, by name.

    Raises:
        WembedError: where torch.export cannot follow it.
    """
    program = program_of(module, args, kwargs or {})
    trace = Propagation(AXIS_RULES, program.parameters, program.constants)
    trace.follow(program.graph)
    return _resolved(program, trace)


def _resolved(program: Program, trace: Propagation) -> Traced:
    used = {name: trace.tensors[name] for name in _by_first_use(program) if name in trace.tensors}
    names = named(trace.writes, used)
    in_tensors = dict(names.atoms)
    tensors = {copy: _expressions(axes, names) for name, axes in used.items() for copy in program.tied[name]}
    values = {node.name: _value(node.name, value, names) for node, value in trace.values.items()}
    sizes = {name: leaf.size for name, leaf in names.atoms.items()}
    free = [name for name, leaf in in_tensors.items() if not leaf.frozen]
    parents = parents_of(free, sizes, _evidence(trace, tensors.values(), names))
    atoms = {name: atom_of(name, leaf, parents.get(name, "")) for name, leaf in in_tensors.items()}
    copies = frozenset(name for names_ in program.tied.values() if len(names_) > 1 for name in names_)
    return Traced(program.graph, program.parameters, atoms, tensors, values, trace.unknown, sizes, copies)


def _evidence(trace: Propagation, tensors: Iterable[tuple[Axis, ...]], names: Names) -> Evidence:
    """Where atoms stand; those that stand in an operator's inside alone get names that nobody sees."""

    def seen(axes: Axes) -> tuple[Axis, ...]:
        return _expressions(_named("inside", axes, names), names)

    def places(value: Value) -> tuple[Axis, ...]:
        axes, chosen = seen(value.axes), value.chosen
        if chosen is None or not stand_once(seen(chosen.places), axes):
            return axes
        return (*axes, *seen((chosen.axis,)))  # each place belongs to one index of it, as if it stood there

    values = [*_flat(trace.values.values()), *trace.spaces]
    return Evidence(
        frozenset(tensors),
        frozenset(map(places, values)),
        frozenset((seen(mixed), seen(kept)) for mixed, kept in trace.mixes),
        frozenset(seen((value.entries,))[0] for value in values if value.entries is not None),
    )


def _flat(outcomes: Iterable[Value | tuple[Value, ...]]) -> Iterator[Value]:
    for outcome in outcomes:
        yield from outcome if isinstance(outcome, tuple) else (outcome,)


def _by_first_use(program: Program) -> list[str]:
    """Tensor names in the order in which the graph uses them first."""
    order: dict[str, None] = {}
    for node in program.graph.nodes:
        for argument in node.all_input_nodes:
            if argument.name in program.parameters:
                order[program.parameters[argument.name]] = None
    return list(order)


def _value(node: str, value: Value | tuple[Value, ...], names: Names) -> ValueAxes:
    if isinstance(value, tuple):
        return tuple(_expressions(_named(node, own.axes, names), names) for own in value)
    return _expressions(_named(node, value.axes, names), names)


def _named(node: str, axes: Axes, names: Names) -> Axes:
    """Name the atoms that stand in no tensor after the first value that they stand in."""
    for place, axis in enumerate(axes):
        for leaf in leaves(axis):
            if leaf.size != 1:
                names.give(leaf, f"{node}.axis{place}")
    return axes


def _expressions(axes: Axes, names: Names) -> tuple[Axis, ...]:
    return tuple(expression(axis, names) for axis in axes)
