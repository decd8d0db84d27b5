"""Modules and links, read off names and shapes alone: which dense layer plainly feeds which.

A tensor's name says its module (`conv2` of `conv2.weight`); a number at the module's end says its place among its
siblings. Only consecutive numbered layers of one prefix are linked, and whatever could make such a link wrong (a
flatten, a norm whose place is not known, a parallel branch, a grouped convolution) turns it into a reason instead:
a link may be lost here, never invented.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from wembed.symmetry.spec import BATCH_NORM_ROLES

Shapes = Mapping[str, tuple[int, ...]]  # tensor name -> shape

_NUMBERED = re.compile(r"^(?P<stem>.*?)(?P<number>\d+)$")


@dataclass(frozen=True)
class Module:
    """The tensors that share a name up to the last dot.

    Args:
        path: that name, "" at the top.
        tensors: parameter name (`weight`) -> tensor name.
        shape: the weight's shape, () without one.
        vector_size: the length that all of the module's vectors share, or -1.
    """

    path: str
    tensors: Mapping[str, str]
    shape: tuple[int, ...]
    vector_size: int

    @property
    def is_dense(self) -> bool:
        """A linear or convolution layer: a weight matrix, a fitting bias, and nothing else."""
        if len(self.shape) < 2 or not self.tensors.keys() <= {"weight", "bias"}:
            return False
        return "bias" not in self.tensors or self.vector_size == self.shape[0]

    @property
    def is_batch_norm(self) -> bool:
        """A norm with running statistics: per channel, whatever the grouping."""
        return self.vector_size > 0 and self.tensors.keys() == BATCH_NORM_ROLES

    @property
    def is_slope(self) -> bool:
        """A single vector: PReLU slopes or the gain of an RMS norm, per channel both."""
        return self.tensors.keys() == {"weight"} and len(self.shape) == 1

    @property
    def scope(self) -> str:
        """The path of the module that holds this one."""
        return self.path.rpartition(".")[0]

    @property
    def number(self) -> int:
        """The number at the end of the path, or -1."""
        match = _NUMBERED.match(self.path.rpartition(".")[2])
        return int(match["number"]) if match else -1

    @property
    def prefix(self) -> str:
        """The path without that number."""
        return self.path.removesuffix(str(self.number)) if self.number >= 0 else self.path


@dataclass(frozen=True)
class Link:
    """What stands between two dense layers that follow each other in one family.

    Args:
        writer: the dense layer in front.
        reader: the dense layer behind.
        between: the per-channel modules in between, in order.
        doubt: why the two are not joined, or "" where they are.
    """

    writer: Module
    reader: Module
    between: tuple[Module, ...]
    doubt: str


def modules_of(shapes: Shapes) -> dict[str, Module]:
    """The modules of a checkpoint, by path, in the natural order of their names."""
    parts: dict[str, dict[str, str]] = defaultdict(dict)
    for name in sorted(shapes, key=natural_key):
        path, _, parameter = name.rpartition(".")
        parts[path][parameter] = name
    return {path: _module(path, tensors, shapes) for path, tensors in parts.items()}


def _module(path: str, tensors: Mapping[str, str], shapes: Shapes) -> Module:
    lengths = {shapes[name][0] for name in tensors.values() if len(shapes[name]) == 1}
    vector_size = lengths.pop() if len(lengths) == 1 else -1
    shape = shapes[tensors["weight"]] if "weight" in tensors else ()
    return Module(path, tensors, shape, vector_size)


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """A sort key that puts `layer2` before `layer10`."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part]


def families(modules: Mapping[str, Module]) -> Iterator[list[Module]]:
    """The dense modules that differ only in the number at the end of their path, in the order of the numbers."""
    found: dict[str, list[Module]] = defaultdict(list)
    for module in modules.values():
        if module.is_dense and module.number >= 0:
            found[module.prefix].append(module)
    for members in found.values():
        if len(members) > 1:
            yield sorted(members, key=lambda module: module.number)


def links(family: Sequence[Module], modules: Mapping[str, Module]) -> list[Link]:
    """The links of one family, each with its doubt."""
    sequential = _is_sequential(family)
    shared_doubt = _doubt_of_family(family, sequential)
    found: list[Link] = []
    for writer, reader in pairwise(family):
        between = _between(writer, reader, modules) if sequential else ()
        grouped = bool(found) and len(writer.shape) > 2 and found[-1].writer.shape[0] != writer.shape[1]
        doubt = (
            _doubt_of_shapes(writer, reader)
            or ("its writer may be a grouped convolution" if grouped else "")
            or shared_doubt
            or _doubt_of_kind(writer, reader, family)
            or (_doubt_between(writer, reader, between, modules) if sequential else "")
            or ("" if sequential else _doubt_of_scope(writer, family, modules))
        )
        found.append(Link(writer, reader, tuple(m for m in between if not m.is_dense), doubt))
    return found


def _is_sequential(family: Sequence[Module]) -> bool:
    """Whether the numbers leave room for activations, as in a Sequential: bare numbers, and not 0, 1, 2, ..."""
    bare = all(module.path.rpartition(".")[2].isdigit() for module in family)
    return bare and any(b.number - a.number > 1 for a, b in pairwise(family))


def _doubt_of_shapes(writer: Module, reader: Module) -> str:
    if len(writer.shape) != len(reader.shape):
        return f"a flatten of unknown order stands between {writer.path} and {reader.path}"
    if writer.shape[0] != reader.shape[1]:
        return f"{writer.path} writes {writer.shape[0]} channels, {reader.path} reads {reader.shape[1]}"
    return ""


def _doubt_of_family(family: Sequence[Module], sequential: bool) -> str:
    shapes = [module.shape for module in family]
    names = f"{family[0].path} to {family[-1].path}"
    if len(set(shapes)) == 1 and (not sequential or len(shapes[0]) > 2):
        return f"{names} all have one shape: they may be parallel, or transposed"
    if sequential:
        return ""
    if any(b.number != a.number + 1 for a, b in pairwise(family)):
        return f"the numbers of {names} are not consecutive"
    if any(_doubt_of_shapes(a, b) for a, b in pairwise(family) if len(a.shape) == len(b.shape)):
        return f"{names} do not fit one after the other: this is no plain chain"
    if any(shapes.count(shape) > 1 for shape in shapes if shape[0] != shape[1]):
        return f"some of {names} have one shape: they may be parallel"
    return ""


def _doubt_of_kind(writer: Module, reader: Module, family: Sequence[Module]) -> str:
    """What the weights could be instead of plain linear layers or convolutions, by their shapes."""
    targets, sources, *kernel = writer.shape
    if kernel and sources == 1 < targets:
        return f"{writer.path} may be a depthwise convolution"
    for module in (writer, reader):
        if module.shape[0] == module.shape[1] and any(size % 2 == 0 for size in module.shape[2:]):
            return f"{module.path} may be a transposed convolution"
    lone = writer is family[0] and "bias" not in writer.tensors and any("bias" in m.tensors for m in family)
    if lone and not kernel and sources == targets:
        return f"{writer.path} may be an embedding"
    return ""


def _between(writer: Module, reader: Module, modules: Mapping[str, Module]) -> tuple[Module, ...]:
    """The modules numbered between two of one container, the composite ones too."""
    head = f"{writer.scope}." if writer.scope else ""
    numbers = range(writer.number + 1, reader.number)
    inside = [m for m in modules.values() if m.path.startswith(head)]
    return tuple(m for n in numbers for m in inside if m.path == f"{head}{n}" or m.path.startswith(f"{head}{n}."))


def _doubt_between(writer: Module, reader: Module, between: Sequence[Module], modules: Mapping[str, Module]) -> str:
    for module in between:
        if not (module.is_batch_norm or module.is_slope):
            return f"{module.path}, between {writer.path} and {reader.path}, is not known to act channel by channel"
        size = module.shape[0] if module.is_slope else module.vector_size
        if size != writer.shape[0]:
            return f"{module.path} has {size} channels, {writer.path} writes {writer.shape[0]}"
    return ""


def _doubt_of_scope(writer: Module, family: Sequence[Module], modules: Mapping[str, Module]) -> str:
    """Layers that are no Sequential may be called in any way: what else has this size could be added to it."""
    size = writer.shape[0]
    if family[0].shape[1] == size:
        return f"{family[0].path} reads {size} channels, {writer.path} writes as many: a skip may join them"
    nearest = sorted(modules.values(), key=lambda module: module.number != writer.number)
    for module in nearest:
        if module is writer or module.scope != writer.scope:
            continue
        if module.is_dense and module.shape[0] == size:
            return f"{writer.path} and {module.path} both write {size} channels: a skip may join them"
        if not module.is_dense and module.vector_size == size:
            return f"{module.path} has {size} channels: its place in the order is not known"
    return ""
