"""Templates: one traced spec of a small network that stands for its architecture at any depth and width.

What enters is the spec of a network whose stacks have at least five units each, all sizes distinct; what leaves are
specs for a checkpoint's names and shapes, without running or importing anything. Depth comes from the names, sizes
from the shapes, and the sizes that no shape tells (how many heads) from the config.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wembed.symmetry.inference.chains import Shapes
from wembed.symmetry.repeat import depths_in, repeated, stacks_of
from wembed.symmetry.resize import resized, solved_sizes
from wembed.symmetry.rules import Config, evaluate
from wembed.symmetry.spec import SymmetrySpec
from wembed.symmetry.stacks import stored_shapes


@dataclass(frozen=True)
class Template:
    """An architecture at any depth and width.

    Args:
        spec: of a small member.
        depths: for each of its stacks, the rule that gives its number of units.
        sizes: the rule that gives an atom's size, by the atom's name with `#` for the numbers of units, or
            as it is for a first unit that is not like the others.
        shallowest: the fewest units of a stack for which it is known to be right.
        fewest_heads: the fewest heads, and the fewest that share a key.
    """

    spec: SymmetrySpec
    depths: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, str] = field(default_factory=dict)
    shallowest: int = 1
    fewest_heads: int = 1

    def __post_init__(self) -> None:
        """Check that the rules speak of what is there."""
        strange = self.depths.keys() - stacks_of(self.spec.tensors).keys()
        if strange:
            raise ValueError(f"no stack {min(strange)!r} in the spec")


def check_repeats(spec: SymmetrySpec, stacks: Iterable[str]) -> None:
    """Check that a spec's own records come back when those of its middle units are repeated.

    Raises:
        ValueError: where they do not.
    """
    depths = {stack: depth for stack, depth in stacks_of(spec.tensors).items() if stack in set(stacks)}
    if resized(repeated(spec, depths), spec.sizes).hash != spec.hash:
        raise ValueError("the spec does not repeat its layers")


def deepen(spec: SymmetrySpec, shapes: Shapes) -> SymmetrySpec:
    """The spec of a deep network from that of a shallow one of the same widths.

    Args:
        spec: traced; its stacks have at least five units each.
        shapes: the deep network's; tensors that have no part in the spec may be among them.

    Raises:
        ValueError: if the deep network has other tensors, or its layers are not those of the shallow one repeated.
        CheckpointRefusedError: if a tensor has a shape that does not go together with the rest, naming it.
    """
    stacks = stacks_of(spec.tensors)
    check_repeats(spec, stacks)
    deep = repeated(spec, depths_in(shapes, stacks))
    missing = [name for name in deep.tensors if name not in shapes]
    if missing:
        raise ValueError(f"tensor {missing[0]} of the repeated layers is not there")
    heads = {atom.name: atom.size for atom in deep.atoms.values() if atom.kind == "head"}
    solved = solved_sizes(deep.tensors, shapes, heads)
    return resized(deep, solved_sizes(deep.tensors, shapes, deep.sizes | solved))


def sizes_by_rule(template: Template, spec: SymmetrySpec, config: Config) -> dict[str, int]:
    """The sizes of a repeated spec's atoms that the template has rules for and the config fields."""
    sizes = {name: _by_rule(template, name, config) for name in spec.atoms}
    return {name: size for name, size in sizes.items() if size is not None}


def _by_rule(template: Template, atom: str, config: Config) -> int | None:
    rule = rule_of(template, atom)
    return evaluate(rule, config) if rule else None


def rule_of(template: Template, atom: str) -> str:
    """The rule for an atom's size, or ""."""
    return template.sizes.get(atom) or template.sizes.get(pattern_of(atom, template.depths), "")


def pattern_of(name: str, stacks: Mapping[str, object]) -> str:
    """A name with `#` in place of the number of its unit."""
    for stack in stacks:
        name = re.sub(rf"(?<![\w.])({re.escape(stack)})\d+(?!\w)", r"\1#", name)
    return name


def spec_of(template: Template, config: Config) -> SymmetrySpec:
    """The spec of a config's network, from the config alone.

    Raises:
        ValueError: where the config does not give a depth or a size.
    """
    depths = {stack: evaluate(rule, config) or 0 for stack, rule in template.depths.items()}
    for stack, depth in depths.items():
        if not template.shallowest <= depth <= _MOST_UNITS:
            raise ValueError(f"{template.depths[stack]} is no number of layers")
    deep = repeated(template.spec, depths)
    sizes = sizes_by_rule(template, deep, config)
    for name in deep.atoms:
        if name not in sizes and name != "unit":
            raise ValueError(f"no size for {name}")
    if not has_heads_enough(template, deep, sizes):
        raise ValueError("too few heads")
    return resized(deep, sizes | {"unit": 1})


def has_heads_enough(template: Template, spec: SymmetrySpec, sizes: Mapping[str, int]) -> bool:
    """Whether a template is known to be right for the head counts of a repeated spec."""
    return all(sizes[atom.name] >= template.fewest_heads for atom in spec.atoms.values() if atom.kind == "head")


_MOST_UNITS = 10_000  # of a stack; a config is not trusted, and the deepest networks have hundreds


def shapes_of(template: Template, config: Config) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a checkpoint, from the config alone; see `spec_of`."""
    return stored_shapes(spec_of(template, config))
