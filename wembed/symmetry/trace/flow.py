"""Pass 2 of tracing: the flow of values, whose factors are joined wherever an operator demands it.

What enters is a graph whose axes are known (pass 1); what leaves are sites and layers. Every operator has a rule that
says what its result carries; an operator without one fixes what it touches. Rules only ever join sites or narrow them,
so a scale may be lost here, never invented.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch.fx import Node

from wembed.symmetry.axes import part_atoms, parts_of
from wembed.symmetry.spec import AxisRole, LayerKind
from wembed.symmetry.trace.carried import Axes, Carried, Part, State, Weight, atoms_of_cell, cells_of
from wembed.symmetry.trace.sites import ZERO, Ref, Sites
from wembed.symmetry.trace.traced import Traced

Place = tuple[str, int, Part]  # a part of an axis of a tensor


@dataclass
class FoundLayer:
    """A layer while the flow is followed; see `Layer`.

    Args:
        kind: of layer.
        source: what it reads.
        target: what it writes.
        tensors: role -> tensor.
        layout: the weight's axes.
        eps: of a batch norm.
        target_part: of the tensors' target axis.
        source_part: of the weight's source axis.
    """

    kind: LayerKind
    source: Ref
    target: Ref
    tensors: dict[str, str]
    layout: tuple[AxisRole, ...] = ()
    eps: float = 1e-5
    target_part: Part = ()
    source_part: Part = ()


# Through these a vector that is added to all of a value stays one; `cat` looks for itself.
_KEEPS_BIASES = frozenset(
    (
        *(
            "view",
            "_unsafe_view",
            "reshape",
            "flatten",
            "unflatten",
            "squeeze",
            "unsqueeze",
            "permute",
            "transpose",
            "t",
        ),
        *("numpy_T", "expand", "slice", "narrow", "split", "split_with_sizes", "chunk", "getitem", "unbind", "clone"),
        *("alias", "detach", "to", "_to_copy", "contiguous", "type_as", "dropout", "repeat_interleave", "repeat"),
        *("linear", "addmm", "matmul", "mm", "bmm", "scaled_dot_product_attention", "softmax", "_softmax"),
        *("_safe_softmax", "cat", "layer_norm", "_assert_tensor_metadata"),
    )
)

Rule = Callable[["Flow", Node], State]


@dataclass
class Flow:
    """What is known of a graph's values so far.

    Args:
        traced: the graph and its axes.
        rules: operator name -> rule.
        sites: all sites.
        layers: in data-flow order.
        states: what each value carries.
        places: part of an axis of a tensor -> the factors that it takes, set by its first use.
        writers: node -> the layers that wrote its value just now, by part: a bias that follows belongs to them.
        slopes: site -> tensor of PReLU slopes along it.
    """

    traced: Traced
    rules: Mapping[str, Rule]
    rotary: Mapping[Node, Rule] = field(default_factory=dict)
    sites: Sites = field(default_factory=Sites)
    layers: list[FoundLayer] = field(default_factory=list)
    states: dict[Node, State] = field(default_factory=dict)
    places: dict[Place, Ref] = field(default_factory=dict)
    writers: dict[Node, dict[Part, FoundLayer]] = field(default_factory=dict)
    slopes: dict[Ref, str] = field(default_factory=dict)

    def follow(self) -> None:
        """Follow all values from the inputs to the outputs."""
        for node in self.traced.graph.nodes:
            if node.op == "placeholder" and node.name in self.traced.parameters:
                tensor = self.traced.parameters[node.name]
                self.states[node] = Weight.whole(tensor, self.traced.tensors[tensor])
            elif node.op == "output":
                for value in node.all_input_nodes:
                    self.fix(value)
            elif node.op == "call_function":
                self.states[node] = self._checked(self._result(node))
            else:
                self.states[node] = self.plain(node)

    def _result(self, node: Node) -> State:
        if node in self.rotary:
            return self.rotary[node](self, node)
        name = operator_name(node)
        rule = self.rules.get(name)
        if rule is None:
            return unknown(self, node)
        if name not in _KEEPS_BIASES:
            self._skew(node)
        return rule(self, node)

    def _skew(self, node: Node) -> None:
        """What passes most operators no longer arrives as it was biased."""
        for value in node.all_input_nodes:
            state = self.states[value]
            for item in state if isinstance(state, tuple) else (state,):
                for ref in item.refs.values() if isinstance(item, Carried) else ():
                    self.sites.skew(ref)

    def plain(self, node: Node) -> State:
        """A value that carries nothing."""
        axes = self.traced.values.get(node.name, ())
        if axes and isinstance(axes[0], tuple):
            return tuple(Carried(inner, {}) for inner in axes)
        return Carried(axes, {})  # type: ignore[arg-type]

    def axes(self, node: Node) -> Axes:
        """The axes of a node's one value."""
        axes = self.traced.values[node.name]
        if axes and isinstance(axes[0], tuple):
            raise ValueError(f"{node.name} has several values")
        return axes  # type: ignore[return-value]

    def state(self, argument: Any) -> State:  # whatever an operator is called with
        """What an argument carries; a number carries nothing."""
        return self.states[argument] if isinstance(argument, Node) else Carried((), {})

    def carried(self, argument: Any) -> Carried:
        """What an argument carries, a parameter among them taken as it is: its factors are fixed from now on."""
        state = self.state(argument)
        if isinstance(state, Weight):
            self.spend(state)
            return Carried(state.axes, {})
        if isinstance(state, tuple):
            raise ValueError(f"{argument} is a tuple")
        return state

    def spend(self, weight: Weight) -> None:
        """A parameter is used in a way that is not followed: no axis of it may be scaled."""
        for axis, place in enumerate(weight.places):
            for part in parts_of(weight.axes[axis]):
                if place >= 0:
                    self.sites.limit(self.place(weight, axis, part, None), "none")

    def place(self, weight: Weight, axis: int, part: Part, ref: Ref | None) -> Ref:
        """Say which factors a part of a weight's axis takes, or ask for them; the same at every use."""
        if weight.places[axis] < 0:
            return ref or self.sites.new(())
        key = (weight.tensor, weight.places[axis], weight.parts[axis][part])
        if key not in self.places:
            self.places[key] = ref or self.sites.new(part_atoms(weight.axes[axis], part))
        elif ref is not None:
            self.sites.join(self.places[key], ref)
        return self.places[key]

    def fix(self, argument: Any) -> None:
        """Nothing that an argument carries may be scaled."""
        state = self.state(argument)
        for item in state if isinstance(state, tuple) else (state,):
            if isinstance(item, Weight):
                self.spend(item)
            else:
                for ref in item.refs.values():
                    self.sites.limit(ref, "none")

    def read(self, value: Carried, axis: int, part: Part) -> Ref:
        """The one site of all cells that share a part of an axis; a fixed one is made where there is none."""
        cells = [cell for cell in cells_of(value.axes) if cell[axis] == part]
        refs = [value.refs[cell] for cell in cells if cell in value.refs]
        if not refs:
            made = self.sites.new(part_atoms(value.axes[axis], part))
            self.sites.limit(made, "none")
            value.refs.update(dict.fromkeys(cells, made))  # type: ignore[attr-defined]  # who reads it next finds it
            return made
        found = refs[0]
        for ref in refs[1:]:
            found = self.sites.join(found, ref)
        if found == ZERO:  # whatever reads zeros; a later use of the same weight says more
            return self.sites.new(part_atoms(value.axes[axis], part))
        if len(refs) < len(cells):
            self.sites.limit(found, "none")
        return found

    def _checked(self, state: State) -> State:
        """Fix what has lost an atom that its factors depend on, or holds one twice."""
        for item in state if isinstance(state, tuple) else (state,):
            if isinstance(item, Carried):
                for cell, ref in item.refs.items():
                    if ref != ZERO:
                        atoms = atoms_of_cell(item.axes, cell)
                        seen = set(self.sites.atoms(ref)) - self.sites.chosen(ref)
                        if any(atoms.count(atom) != 1 for atom in seen):
                            self.sites.limit(ref, "none")
        return state


def operator_name(node: Node) -> str:
    """`linear` of aten.linear.default."""
    if node.target is operator.getitem:
        return "getitem"
    return str(node.target).removeprefix("aten.").split(".")[0]


def unknown(flow: Flow, node: Node) -> State:
    """An operator that is not followed: what it reads may not be scaled."""
    for value in node.all_input_nodes:
        flow.fix(value)
    return flow.plain(node)
