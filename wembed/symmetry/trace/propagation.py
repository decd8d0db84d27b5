"""Pass 1 of tracing: axes are followed through a graph, operator by operator.

What enters is a functional graph; what leaves is, for every value and every parameter, axes as variables. A rule says
which axes an operator wants permuted alike. It may be narrower than need be, never wider: an operator without a rule,
or one that is used in a way that its rule does not know, freezes all that it touches and is counted.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.fx import Graph, Node

from wembed.symmetry.trace.atoms import Axes, NotUnderstoodError, Variable, freeze, unify

AS_NUMBERS = "indices that are used as numbers"
CONSTANT = "a constant of the model"


@dataclass(frozen=True)
class Chosen:
    """Of which index of an axis a slice is: the weights of the expert that was chosen for each token.

    Args:
        by: the node of the indices.
        places: their axes.
        axis: what they are indices of.
    """

    by: Node
    places: Axes
    axis: Variable


@dataclass(frozen=True)
class Value:
    """What is known of a tensor.

    Args:
        axes: one for each dimension.
        entries: the axis that its entries are indices of, where they are (a topk, an arange), or None.
        chosen: what it was chosen by, or None.
    """

    axes: Axes
    entries: Variable | None = None
    chosen: Chosen | None = None


Outcome = Value | tuple[Value, ...]
Rule = Callable[["Propagation", Node], Outcome]


@dataclass(frozen=True)
class RuleBook:
    """What is known of operators.

    Args:
        rules: operator name -> rule.
        keep_entries: whose rules know what to do with entries that are indices; others freeze the axis of these.
        keep_places: that leave what belongs to one place of an axis there.
    """

    rules: Mapping[str, Rule]
    keep_entries: frozenset[str]
    keep_places: frozenset[str]


@dataclass
class Propagation:
    """The axes of a graph's values so far.

    Args:
        book: the rules.
        parameters: placeholder name -> tensor name.
        constants: name of another placeholder that is no input -> what the module calls it.
        tensors: tensor name -> its axes.
        values: node -> its value or values.
        writes: which tensor's axis writes a value, in data-flow order.
        unknown: operator name -> how often it was not understood.
        spaces: all axes over which an operator runs, those that it sums over among them, as of a value.
        mixes: axes along which indices meet or move, and the other axes of that value.
    """

    book: RuleBook
    parameters: Mapping[str, str]
    constants: Mapping[str, str]
    tensors: dict[str, Axes] = field(default_factory=dict)
    values: dict[Node, Outcome] = field(default_factory=dict)
    writes: list[tuple[str, Variable]] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    spaces: list[Value] = field(default_factory=list)
    mixes: list[tuple[Axes, Axes]] = field(default_factory=list)

    def follow(self, graph: Graph) -> None:
        """Follow all values from the inputs to the outputs."""
        for node in graph.nodes:
            if node.op == "placeholder" and node.name in self.parameters:
                self.values[node] = Value(self._parameter(node))
            elif node.op == "call_function":
                self.values[node] = self._result(node)
            elif node.op == "output":
                for value in node.all_input_nodes:
                    self.freeze(value, "model output")
            else:
                self.values[node] = fresh(node, self._origin(node))

    def _origin(self, node: Node) -> str:
        """Why a value that is no parameter is frozen."""
        if node.op != "placeholder":
            return CONSTANT
        name = self.constants.get(node.name)
        if name is None:
            return "model input"
        return "rotary pairs" if name.endswith("inv_freq") else CONSTANT

    def _parameter(self, node: Node) -> Axes:
        name = self.parameters[node.name]
        if name not in self.tensors:
            self.tensors[name] = tuple(Variable(size) for size in shape_of(node))
        return self.tensors[name]

    def _result(self, node: Node) -> Outcome:
        name = operator_name(node)
        if not _tensors_of(node.meta.get("val")):
            return Value(())
        rule = self.book.rules.get(name) or _pointwise_rule(self.book.rules, node)
        if rule is None:
            return self.not_understood(node)
        if name not in self.book.keep_entries:
            self._freeze_entries(node)
        spaces = len(self.spaces)
        try:
            outcome = rule(self, node)
            _check(node, outcome)
        except (NotUnderstoodError, IndexError, KeyError, TypeError, ValueError):
            return self.not_understood(node)  # used in a form that its rule does not know
        if name in _CHOOSING:
            return outcome
        keeps = name in self.book.keep_places or rule is self.book.rules["pointwise"]
        chosen = self._chosen(node) if keeps else None
        self.spaces[spaces:] = [replace(space, chosen=chosen) for space in self.spaces[spaces:]]
        found = tuple(replace(value, chosen=chosen) for value in _several(outcome))
        return found if isinstance(outcome, tuple) else found[0]

    def _chosen(self, node: Node) -> Chosen | None:
        """What all arguments that were chosen were chosen by, if it is one."""
        values = [value for argument in node.all_input_nodes for value in _several(self.values[argument])]
        found = [value.chosen for value in values if value.chosen is not None]
        return found[0] if found and all(own.by is found[0].by for own in found) else None

    def _freeze_entries(self, node: Node) -> None:
        """Entries that are indices are about to be used as numbers."""
        for argument in node.all_input_nodes:
            for value in _several(self.values[argument]):
                if value.entries is not None:
                    freeze(value.entries, AS_NUMBERS)

    def not_understood(self, node: Node) -> Outcome:
        """Freeze what an operator reads; what it gives is frozen too."""
        name = operator_name(node)
        self.unknown[name] = self.unknown.get(name, 0) + 1
        why = f"operator {name} is not known"
        self._freeze_entries(node)
        for argument in node.all_input_nodes:
            self.freeze(argument, why)
        return fresh(node, why)

    def freeze(self, node: Node, why: str) -> None:
        """No axis of a node's value may be permuted."""
        for value in _several(self.values[node]):
            for axis in (*value.axes, *((value.entries,) if value.entries else ())):
                freeze(axis, why)

    def value(self, argument: Any) -> Value:  # an operator's argument: a node, a number, nothing
        """What is known of an argument; a number has no axes."""
        if not isinstance(argument, Node):
            return Value(())
        value = self.values[argument]
        if isinstance(value, tuple):
            raise NotUnderstoodError(f"{argument} has several values")
        return value

    def axes(self, argument: Any) -> Axes:  # an operator's argument
        """The axes of an argument whose entries are numbers: if they are indices, their axis is frozen."""
        value = self.value(argument)
        if value.entries is not None:
            freeze(value.entries, AS_NUMBERS)
        return value.axes

    def is_parameter(self, argument: Any) -> bool:  # an operator's argument
        """Whether an argument is a parameter of the module, transposed or normed, or slices that were chosen of one."""
        while isinstance(argument, Node) and operator_name(argument) in _VIEWS:
            argument = argument.args[0]
        return isinstance(argument, Node) and argument.name in self.parameters

    def wrote(self, argument: Any, axis: Variable) -> None:  # an operator's argument
        """A parameter writes a value along one of its axes, which gets its name from there."""
        while isinstance(argument, Node) and operator_name(argument) in _VIEWS:
            argument = argument.args[0]
        if isinstance(argument, Node) and argument.name in self.parameters:
            self.writes.append((self.parameters[argument.name], axis))

    def along(self, axis: Variable, vector: Any) -> None:  # an operator's argument
        """A vector, if there is one, lies along an axis."""
        if isinstance(vector, Node):
            unify(axis, self.axes(vector)[-1])

    def runs_over(self, *axes: Variable) -> None:
        """An operator runs over all combinations of these axes' indices, and sums some of them up."""
        self.spaces.append(Value(axes))

    def mix(self, axes: Axes, dims: Iterable[int]) -> None:
        """Along some axes of a value, indices meet or change places."""
        mixed = {dim % len(axes) for dim in dims}
        inside = tuple(axis for dim, axis in enumerate(axes) if dim in mixed)
        self.mixes.append((inside, tuple(axis for dim, axis in enumerate(axes) if dim not in mixed)))


_CHOOSING = frozenset(("index",))
_VIEWS = frozenset(
    ("index", "_weight_norm", "transpose", "t", "permute", "_to_copy", "to", "clone", "alias", "detach", "contiguous")
)


def operator_name(node: Node) -> str:
    """`linear` of aten.linear.default."""
    if node.target is operator.getitem:
        return "getitem"
    return str(node.target).removeprefix("aten.").split(".")[0] if node.op == "call_function" else node.op


def arguments(node: Node) -> dict[str, Any]:  # whatever an operator is called with
    """The arguments of an operator by the names of its schema, defaults filled in."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    given = dict(zip([argument.name for argument in schema], node.args, strict=False)) | node.kwargs
    return {argument.name: given.get(argument.name, argument.default_value) for argument in schema}


def shape_of(node: Node) -> list[int]:
    """The shape of a node's one value."""
    value = node.meta["val"]
    if not isinstance(value, torch.Tensor):
        raise NotUnderstoodError(f"{node} is no tensor")
    return [int(size) for size in value.shape]


def fresh(node: Node, why: str) -> Outcome:
    """A value, or values, of new axes, frozen."""
    value = node.meta.get("val")
    made = tuple(_fresh(item, why) for item in (value if isinstance(value, list | tuple) else (value,)))
    return made if isinstance(value, list | tuple) else made[0]


def _fresh(value: Any, why: str) -> Value:  # what torch.export says of a value
    shape = value.shape if isinstance(value, torch.Tensor) else ()
    return Value(tuple(Variable(size if isinstance(size, int) else 0, why) for size in shape))


def _tensors_of(value: Any) -> list[torch.Tensor]:  # what torch.export says of a value
    items = value if isinstance(value, list | tuple) else (value,)
    return [item for item in items if isinstance(item, torch.Tensor)]


def _several(outcome: Outcome) -> tuple[Value, ...]:
    return outcome if isinstance(outcome, tuple) else (outcome,)


def _pointwise_rule(rules: Mapping[str, Rule], node: Node) -> Rule | None:
    tags = getattr(node.target, "tags", ())
    is_pointwise = torch.Tag.pointwise in tags and torch.Tag.nondeterministic_seeded not in tags
    return rules["pointwise"] if is_pointwise else None


def _check(node: Node, outcome: Outcome) -> None:
    """A rule's result must have the shape that the operator's has."""
    value = node.meta["val"]
    shapes = [list(getattr(item, "shape", ())) for item in (value if isinstance(value, list | tuple) else (value,))]
    found = [[axis.size for axis in item.axes] for item in _several(outcome)]
    if shapes != found:
        raise NotUnderstoodError(f"{node} has shape {shapes}, its rule says {found}")
