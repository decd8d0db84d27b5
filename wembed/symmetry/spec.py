"""SymmetrySpec: which axis of which tensor may be permuted with which, and which values may be rescaled.

Two union-finds meet here. Over axes: *atoms*, whose indices may be permuted wherever they stand. Over values: *sites*,
the places in the data flow between two layers, which may be multiplied if everything that reads them is divided.
A spec is data: it is written into files and read from files that are not trusted, so it is checked when it is made.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from wembed.symmetry.axes import Axis, atoms_of, axis_size, axis_text, part_atoms, part_count, parts_of, shape_text

Tier = Literal["traced", "family", "given", "inferred"]
AtomKind = Literal["input", "output", "hidden", "spatial", "head", "head_dim", "expert", "vocabulary"]
ScaleClass = Literal["linear", "rotary", "real", "positive", "sign", "none"]
LayerKind = Literal["dense", "depthwise", "gain", "batch_norm", "vector"]
AxisRole = Literal["target", "source", "tap", "batch"]

UNIT = "unit"  # the atom of all axes of size 1 in specs that were traced
BATCH_NORM_ROLES = frozenset({"weight", "bias", "running_mean", "running_var"})

_MOST_PARTS = 4096  # of one axis; the deepest DenseNets concatenate a hundred

# What an activation lets pass: f(s x) = s f(x) for all s > 0, for all s, for s = -1, or for no s. `rotary` lets one
# rotation and scale pass for each frequency plane, `linear` any invertible matrix along the site's last atom.
SCALE_OF_ACTIVATION: Mapping[str, ScaleClass] = {
    "relu": "positive",
    "leaky_relu": "positive",
    "prelu": "positive",
    "max_pool": "positive",
    "identity": "real",
    "attention": "linear",
    "scores": "linear",
    "bilinear": "linear",
    "low_rank": "linear",
    "rotary": "rotary",
    "tanh": "sign",
    "sin": "sign",
    "gelu": "none",
    "silu": "none",
    "elu": "none",
    "celu": "none",
    "sigmoid": "none",
    "relu6": "none",
    "hardswish": "none",
    "unknown": "none",
}


@dataclass(frozen=True)
class Atom:
    """An axis that cannot be split further.

    Args:
        name: unique in the spec.
        size: number of indices.
        kind: what the indices are; `spatial` ones (kernel taps, pixels) lie on a grid.
        frozen: why it must not be permuted, or "" if it is free.
        under: the atom for each of whose indices this one may be permuted differently (the head of a head_dim), or "".
    """

    name: str
    size: int
    kind: AtomKind
    frozen: str = ""
    under: str = ""


@dataclass(frozen=True)
class Site:
    """A value between layers, channel by channel along `axis`.

    Args:
        name: unique in the spec.
        axis: the channels' axis: an atom, or a product of atoms.
        activation: the function that the value passes on its way to its readers. Heads have names of their own:
            `attention` for values that are averaged with weights that add up to 1, `scores` for queries and keys whose
            products go into one softmax over the keys, `bilinear` where they go elsewhere too, `rotary` where they
            are turned by their position first; `low_rank` is an adapter's inner axis.
        slope: the tensor of a PReLU's slopes, or "".
        fixed: the value is seen from outside (an input, an output), or is not understood: it must not be scaled.
        limit: what else narrows the factors, where the value has several readers.
        dual: the site whose factors this one takes inverted (a key's, whose query it is multiplied with), or "".
            Actions name that site only.
    """

    name: str
    axis: Axis
    activation: str = "unknown"
    slope: str = ""
    fixed: bool = False
    limit: ScaleClass = "linear"
    dual: str = ""

    @property
    def scale(self) -> ScaleClass:
        """The factors that may pass through this site."""
        return "none" if self.fixed else common_scale(self.limit, SCALE_OF_ACTIVATION[self.activation])


def common_scale(first: ScaleClass, second: ScaleClass) -> ScaleClass:
    """The widest class of factors that both of two classes allow."""
    if first == second or second == "linear" or (second in _PART_OF and first in _PART_OF[second]):
        return first
    if first == "linear" or (first in _PART_OF and second in _PART_OF[first]):
        return second
    return "positive" if {first, second} == {"real", "rotary"} else "none"


_PART_OF: Mapping[ScaleClass, tuple[ScaleClass, ...]] = {
    "rotary": ("positive", "none"),
    "real": ("positive", "sign", "none"),
    "positive": ("none",),
    "sign": ("none",),
}


@dataclass(frozen=True)
class Layer:
    """A step of the data flow: what reads one site and writes another, with the tensors that it uses by role.

    Args:
        name: unique in the spec.
        kind: `dense` (weight, bias); `depthwise` (a convolution of every channel with taps of its own: weight, bias);
            `gain` (a product with a vector, behind a norm say: weight, and a bias added after it); `batch_norm`
            (weight, bias, running_mean, running_var); or `vector` (any one vector whose part in the flow is not known).
        source: the site that it reads.
        target: the site that it writes.
        tensors: role -> tensor name.
        layout: for `dense` and `depthwise`, what each axis of the weight is; a `batch` axis is an atom of both sites
            (experts), and a grouped convolution's source axis holds the channels of one group.
        eps: for `batch_norm`, added to the variance.
        target_part: which part of the tensors' target axis it is, see `parts_of`; () where that axis holds no sum.
        source_part: the same for the weight's source axis.
    """

    name: str
    kind: LayerKind
    source: str
    target: str
    tensors: Mapping[str, str]
    layout: tuple[AxisRole, ...] = ()
    eps: float = 1e-5
    target_part: tuple[int, ...] = ()
    source_part: tuple[int, ...] = ()


@dataclass(frozen=True)
class SymmetrySpec:
    """The symmetries of one architecture. Its hash is its identity; the tier only says where it came from.

    Args:
        tier: how it was found.
        atoms: name -> atom.
        tensors: tensor name -> one axis expression per axis.
        sites: name -> site.
        layers: in data-flow order.
        stacks: tensor name -> the names under which a file keeps its slices along the first axis (one for each
            expert); such a tensor is in no file itself.
        notes: what was not understood, for people; no part of the hash.

    Raises:
        ValueError: where a name is used that is not there, or a layer's axes do not fit its sites.
    """

    tier: Tier
    atoms: Mapping[str, Atom]
    tensors: Mapping[str, tuple[Axis, ...]]
    sites: Mapping[str, Site]
    layers: tuple[Layer, ...]
    stacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        """Check every reference once, so that the rest of the code can trust a spec."""
        for name, axes in self.tensors.items():
            _check_atoms(self.atoms, f"tensor {name}", *axes)
        _check_parents(self)
        for site in self.sites.values():
            _check_site(self, site)
        for layer in self.layers:
            _check_layer(self, layer)
        used = Counter(
            (name, layer.target_part, layer.source_part if role == "weight" else ())
            for layer in self.layers
            for role, name in layer.tensors.items()
        )
        for (name, *_), count in used.items():
            if count > 1:
                raise ValueError(f"tensor {name!r} stands in two layers")
        _check_stacks(self)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Atom name -> size."""
        return {name: atom.size for name, atom in self.atoms.items()}

    @cached_property
    def hash(self) -> str:
        """Sixteen hex digits of the SHA-256 of everything but tier and notes."""
        parts: tuple[object, ...] = (
            sorted(self.atoms.items()),
            sorted(self.tensors.items()),
            sorted(self.sites.items()),
            self.layers,
        )
        if self.stacks:
            parts += (sorted(self.stacks.items()),)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    @property
    def has_free(self) -> bool:
        """Whether any atom may be permuted."""
        return any(not atom.frozen for atom in self.atoms.values())

    @property
    def has_scales(self) -> bool:
        """Whether any site may be scaled."""
        return any(site.scale != "none" for site in self.sites.values())

    @property
    def architecture(self) -> str:
        """A coarse label for a plain chain: `mlp`, `cnn`, or "" where it is not one."""
        layouts = [layer.layout for layer in self.layers if layer.kind == "dense"]
        chained = sum(not atom.frozen for atom in self.atoms.values())
        if not layouts or not chained or any(layer.kind == "vector" for layer in self.layers):
            return ""
        return "cnn" if any("tap" in layout for layout in layouts) else "mlp"

    def size_of(self, axis: Axis) -> int:
        """The number of indices of an axis of this spec."""
        return axis_size(axis, self.sizes)

    def why_frozen(self, axis: Axis) -> str:
        """Why an axis must not be permuted, or "" if some atom of it is free."""
        atoms = [self.atoms[name] for name in atoms_of(axis)]
        return "" if any(not atom.frozen for atom in atoms) else "; ".join(dict.fromkeys(atom.frozen for atom in atoms))

    def free_share(self) -> float:
        """The share of all weight axes' indices that may be permuted, 0 to 1."""
        axes = [axis for tensor in self.tensors.values() for axis in tensor if self.size_of(axis) > 1]
        total = sum(self.size_of(axis) for axis in axes)
        return sum(self.size_of(axis) for axis in axes if not self.why_frozen(axis)) / total if total else 0.0

    def rows(self) -> list[dict[str, object]]:
        """One row per group: group, size, kind, free, scale, why, tensors, shape."""
        scales = self._scales()
        return [self._row(axis, names, scales.get(axis, set())) for axis, names in _groups(self.tensors).items()]

    def _scales(self) -> dict[Axis, set[str]]:
        """The classes of the sites that tensors write or read along each axis, or along parts of it."""
        scales: dict[Axis, set[str]] = {}
        for layer in self.layers:
            for role, name in layer.tensors.items():
                axes = self.tensors[name]
                ends = {"target": layer.target, "source": layer.source}
                whole = role == "weight" and layer.layout
                for end, axis in zip(layer.layout, axes, strict=True) if whole else [("target", axes[-1])]:
                    if end in ends:
                        scales.setdefault(axis, set()).add(self.sites[ends[end]].scale)
        return {axis: found - {"none"} for axis, found in scales.items()}

    def _row(self, axis: Axis, tensors: list[str], scales: set[str]) -> dict[str, object]:
        why = self.why_frozen(axis)
        return {
            "group": axis_text(axis),
            "size": self.size_of(axis),
            "kind": " x ".join(dict.fromkeys(self.atoms[name].kind for name in atoms_of(axis))),
            "free": not why,
            "scale": ",".join(sorted(scales)) or "none",
            "why": why,
            "tensors": tensors,
            "shape": shape_text(axis, self.sizes),
        }


def _groups(tensors: Mapping[str, tuple[Axis, ...]]) -> dict[Axis, list[str]]:
    """Every distinct axis expression with the tensors that it stands in."""
    groups: dict[Axis, list[str]] = {}
    for name, axes in tensors.items():
        for axis in dict.fromkeys(axes):
            groups.setdefault(axis, []).append(name)
    return groups


def _check_atoms(atoms: Mapping[str, Atom], where: str, *axes: Axis) -> None:
    for axis in axes:
        if part_count(axis) > _MOST_PARTS:
            raise ValueError(f"{where} has an axis of more than {_MOST_PARTS} parts")
        for name in atoms_of(axis):
            if name not in atoms:
                raise ValueError(f"{where} uses atom {name!r}, which is not there")


def _check_site(spec: SymmetrySpec, site: Site) -> None:
    _check_atoms(spec.atoms, f"site {site.name}", site.axis)
    if parts_of(site.axis) != [()]:
        raise ValueError(f"site {site.name} lies along {axis_text(site.axis)}, expected an atom or a product of atoms")
    if not site.fixed and len(set(atoms_of(site.axis))) < len(list(atoms_of(site.axis))):
        raise ValueError(f"site {site.name} has an atom twice, along {axis_text(site.axis)}")
    if site.activation not in SCALE_OF_ACTIVATION:
        known = ", ".join(SCALE_OF_ACTIVATION)
        raise ValueError(f"site {site.name} has activation {site.activation!r}, known are {known}")
    if site.slope and spec.tensors.get(site.slope) != (site.axis,):
        raise ValueError(f"site {site.name}: its slope {site.slope!r} is no vector along {axis_text(site.axis)}")
    if site.dual and (site.dual not in spec.sites or spec.sites[site.dual].dual):
        raise ValueError(f"site {site.name}: its dual {site.dual!r} is no site of its own")
    if site.dual and spec.sites[site.dual].axis != site.axis:
        raise ValueError(f"site {site.name} and its dual {site.dual} lie along different axes")
    if site.dual and spec.sites[site.dual].scale != site.scale:
        raise ValueError(f"site {site.name} and its dual {site.dual} allow different factors")


def _check_parents(spec: SymmetrySpec) -> None:
    """What may be permuted differently for each index of a parent must stand beside that parent wherever it stands."""
    parents = {atom.name: atom.under for atom in spec.atoms.values() if atom.under}
    for name, parent in parents.items():
        if parent not in spec.atoms:
            raise ValueError(f"atom {name} is under {parent!r}, which is not there")
        if parent in parents:
            raise ValueError(f"atom {name} is under {parent}, which is under {parents[parent]} itself")
    free = {name: parent for name, parent in parents.items() if not spec.atoms[name].frozen}
    places = [(f"site {site.name}", (site.axis,)) for site in spec.sites.values()]
    for where, axes in [*((f"tensor {name}", axes) for name, axes in spec.tensors.items()), *places]:
        for name in free.keys() & {name for axis in axes for name in atoms_of(axis)}:
            if not _has_parent(axes, name, free[name]):
                raise ValueError(f"{where} holds atom {name} without {free[name]}, which it is under")


def _has_parent(axes: tuple[Axis, ...], name: str, parent: str) -> bool:
    """Whether one and only one parent stands beside an atom: in the same product, else on another axis."""
    parts = [[part_atoms(axis, part) for part in parts_of(axis)] for axis in axes]
    for number, own in enumerate(parts):
        elsewhere = sum(all(parent in part for part in other) for other in parts[:number] + parts[number + 1 :])
        for part in own:
            if name in part and part.count(parent) != 1 and (parent in part or elsewhere != 1):
                return False
    return True


def _check_stacks(spec: SymmetrySpec) -> None:
    counts = Counter(member for members in spec.stacks.values() for member in members)
    for member, count in counts.items():
        if count > 1 or member in spec.tensors:
            raise ValueError(f"stack member {member!r} stands twice in the spec")
    for name, members in spec.stacks.items():
        if not spec.tensors.get(name):
            raise ValueError(f"stack {name!r} is no tensor of the spec")
        if len(members) != spec.size_of(spec.tensors[name][0]):
            raise ValueError(
                f"stack {name!r} has {len(members)} members, expected one for each index of its first axis"
            )


def _check_layer(spec: SymmetrySpec, layer: Layer) -> None:
    missing = [name for name in (layer.source, layer.target) if name not in spec.sites]
    if missing:
        raise ValueError(f"layer {layer.name} uses site {missing[0]!r}, which is not there")
    for role, name in layer.tensors.items():
        if name not in spec.tensors:
            raise ValueError(f"layer {layer.name} uses tensor {name!r} as {role}, which is not there")
    source, target = spec.sites[layer.source].axis, spec.sites[layer.target].axis
    _check_kind(layer, source, target)
    for role, name in layer.tensors.items():
        axes = spec.tensors[name]
        if layer.kind in ("dense", "depthwise") and role == "weight":
            _check_weight(layer, axes, source, target)
        elif not _lies_along(layer, axes, target):
            raise ValueError(f"layer {layer.name}: {name} is no vector along {axis_text(target)}")


def _check_kind(layer: Layer, source: Axis, target: Axis) -> None:
    if not 0 <= layer.eps < 1:
        raise ValueError(f"layer {layer.name} has eps {layer.eps}")
    if layer.kind in ("batch_norm", "gain", "depthwise") and source != target:
        raise ValueError(f"layer {layer.name}: a {layer.kind} reads and writes along one axis")
    if layer.kind == "batch_norm" and layer.tensors.keys() != BATCH_NORM_ROLES:
        raise ValueError(f"layer {layer.name}: a batch_norm has {', '.join(sorted(BATCH_NORM_ROLES))}")


def _lies_along(layer: Layer, axes: tuple[Axis, ...], site: Axis) -> bool:
    """Whether a vector lies along a site: exactly, or repeating it (a bias of queries that share their keys' factors).

    A vector for each expert has a batch axis in front; axes of size 1 do not count.
    """
    parts = [() if parts_of(axis) == [()] else layer.target_part for axis in axes]
    atoms = _wide(*(atom for axis, part in zip(axes, parts, strict=True) for atom in part_atoms(axis, part)))
    own = _wide(*atoms_of(site))
    is_matrix = sum(bool(_wide(*atoms_of(axis))) for axis in axes) > 1
    return atoms == own or (layer.kind in ("dense", "vector") and not is_matrix and set(own) <= set(atoms))


def _wide(*atoms: str) -> tuple[str, ...]:
    return tuple(atom for atom in atoms if atom != UNIT)


def _check_weight(layer: Layer, axes: tuple[Axis, ...], source: Axis, target: Axis) -> None:
    sources = 0 if layer.kind == "depthwise" else 1
    if len(layer.layout) != len(axes) or layer.layout.count("target") != 1 or layer.layout.count("source") != sources:
        raise ValueError(f"layer {layer.name}: layout {layer.layout} does not describe a weight of {len(axes)} axes")
    roles = dict(zip(layer.layout, axes, strict=True))
    batch = {atom for role, axis in zip(layer.layout, axes, strict=True) if role == "batch" for atom in atoms_of(axis)}
    writes = set(part_atoms(roles["target"], layer.target_part)) | batch
    if not writes >= set(_wide(*atoms_of(target))):
        raise ValueError(f"layer {layer.name}: writes {axis_text(roles['target'])} to a site along {axis_text(target)}")
    if not sources:
        return
    reads = set(part_atoms(roles["source"], layer.source_part)) | batch
    read = set(_wide(*atoms_of(source)))
    grouped = read - reads  # the groups of a grouped convolution stand on its target axis
    if grouped - writes or (read and _wide(*reads) and not reads & read):
        raise ValueError(
            f"layer {layer.name}: reads {axis_text(roles['source'])} from a site along {axis_text(source)}"
        )


def layers_between(spec: SymmetrySpec, site: str) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
    """The layers that write a site, and those that read it."""
    writers = tuple(layer for layer in spec.layers if layer.target == site and layer.kind != "vector")
    readers = tuple(layer for layer in spec.layers if layer.source == site and layer.kind != "vector")
    return writers, readers
