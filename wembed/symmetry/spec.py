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

from wembed.symmetry.axes import Axis, Product, atoms_of, axis_size, axis_text

Tier = Literal["traced", "family", "given", "inferred"]
AtomKind = Literal["input", "output", "hidden", "spatial"]
ScaleClass = Literal["positive", "real", "sign", "none"]
LayerKind = Literal["dense", "batch_norm", "vector"]
AxisRole = Literal["target", "source", "tap"]

BATCH_NORM_ROLES = frozenset({"weight", "bias", "running_mean", "running_var"})

# What an activation lets pass: f(s x) = s f(x) for all s > 0, for all s, for s = -1, or for no s.
SCALE_OF_ACTIVATION: Mapping[str, ScaleClass] = {
    "relu": "positive",
    "leaky_relu": "positive",
    "prelu": "positive",
    "max_pool": "positive",
    "identity": "real",
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
    """

    name: str
    size: int
    kind: AtomKind
    frozen: str = ""


@dataclass(frozen=True)
class Site:
    """A value between layers, channel by channel along `axis`.

    Args:
        name: unique in the spec.
        axis: the channels' axis.
        activation: the function that the value passes on its way to its readers.
        slope: the tensor of a PReLU's slopes, or "".
        fixed: the value is seen from outside (an input, an output), or is not understood: it must not be scaled.
    """

    name: str
    axis: Axis
    activation: str = "unknown"
    slope: str = ""
    fixed: bool = False

    @property
    def scale(self) -> ScaleClass:
        """The factors that may pass through this site."""
        return "none" if self.fixed else SCALE_OF_ACTIVATION[self.activation]


@dataclass(frozen=True)
class Layer:
    """A step of the data flow: what reads one site and writes another, with the tensors that it uses by role.

    Args:
        name: unique in the spec.
        kind: `dense` (weight, bias), `batch_norm` (weight, bias, running_mean, running_var) or `vector` (any one
            vector whose part in the flow is not known).
        source: the site that it reads.
        target: the site that it writes.
        tensors: role -> tensor name.
        layout: for `dense`, what each axis of the weight is.
        eps: for `batch_norm`, added to the variance.
    """

    name: str
    kind: LayerKind
    source: str
    target: str
    tensors: Mapping[str, str]
    layout: tuple[AxisRole, ...] = ()
    eps: float = 1e-5


@dataclass(frozen=True)
class SymmetrySpec:
    """The symmetries of one architecture. Its hash is its identity; the tier only says where it came from.

    Args:
        tier: how it was found.
        atoms: name -> atom.
        tensors: tensor name -> one axis expression per axis.
        sites: name -> site.
        layers: in data-flow order.
        notes: what was not understood, for people; no part of the hash.

    Raises:
        ValueError: where a name is used that is not there, or a layer's axes do not fit its sites.
    """

    tier: Tier
    atoms: Mapping[str, Atom]
    tensors: Mapping[str, tuple[Axis, ...]]
    sites: Mapping[str, Site]
    layers: tuple[Layer, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        """Check every reference once, so that the rest of the code can trust a spec."""
        for name, axes in self.tensors.items():
            _check_atoms(self.atoms, f"tensor {name}", *axes)
        for site in self.sites.values():
            _check_atoms(self.atoms, f"site {site.name}", site.axis)
            if site.activation not in SCALE_OF_ACTIVATION:
                known = ", ".join(SCALE_OF_ACTIVATION)
                raise ValueError(f"site {site.name} has activation {site.activation!r}, known are {known}")
            if site.slope and self.tensors.get(site.slope) != (site.axis,):
                raise ValueError(
                    f"site {site.name}: its slope {site.slope!r} is no vector along {axis_text(site.axis)}"
                )
        for layer in self.layers:
            _check_layer(self, layer)
        used = Counter(name for layer in self.layers for name in layer.tensors.values())
        for name, count in used.items():
            if count > 1:
                raise ValueError(f"tensor {name!r} stands in two layers")

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Atom name -> size."""
        return {name: atom.size for name, atom in self.atoms.items()}

    @cached_property
    def hash(self) -> str:
        """Sixteen hex digits of the SHA-256 of everything but tier and notes."""
        parts = (sorted(self.atoms.items()), sorted(self.tensors.items()), sorted(self.sites.items()), self.layers)
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
        """One row per group: group, size, kind, free, scale, why, tensors."""
        return [self._row(axis, names) for axis, names in _groups(self.tensors).items()]

    def _row(self, axis: Axis, tensors: list[str]) -> dict[str, object]:
        why = self.why_frozen(axis)
        scales = {site.scale for site in self.sites.values() if site.axis == axis} - {"none"}
        return {
            "group": axis_text(axis),
            "size": self.size_of(axis),
            "kind": " x ".join(dict.fromkeys(self.atoms[name].kind for name in atoms_of(axis))),
            "free": not why,
            "scale": ",".join(sorted(scales)) or "none",
            "why": why,
            "tensors": tensors,
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
        for name in atoms_of(axis):
            if name not in atoms:
                raise ValueError(f"{where} uses atom {name!r}, which is not there")


def _check_layer(spec: SymmetrySpec, layer: Layer) -> None:
    for name in (layer.source, layer.target):
        if name not in spec.sites:
            raise ValueError(f"layer {layer.name} uses site {name!r}, which is not there")
    for role, name in layer.tensors.items():
        if name not in spec.tensors:
            raise ValueError(f"layer {layer.name} uses tensor {name!r} as {role}, which is not there")
    source, target = spec.sites[layer.source].axis, spec.sites[layer.target].axis
    for role, name in layer.tensors.items():
        axes = spec.tensors[name]
        if layer.kind == "dense" and role == "weight":
            _check_weight(layer, axes, source, target)
        elif axes != (target,):
            raise ValueError(f"layer {layer.name}: {name} is no vector along {axis_text(target)}")
    if not 0 <= layer.eps < 1:
        raise ValueError(f"layer {layer.name} has eps {layer.eps}")
    if layer.kind == "batch_norm" and (source != target or layer.tensors.keys() != BATCH_NORM_ROLES):
        raise ValueError(f"layer {layer.name}: a batch_norm has {', '.join(sorted(BATCH_NORM_ROLES))} along one axis")


def _check_weight(layer: Layer, axes: tuple[Axis, ...], source: Axis, target: Axis) -> None:
    if len(layer.layout) != len(axes) or layer.layout.count("target") != 1 or layer.layout.count("source") != 1:
        raise ValueError(f"layer {layer.name}: layout {layer.layout} does not describe a weight of {len(axes)} axes")
    for role, axis in zip(layer.layout, axes, strict=True):
        if role == "target" and axis != target:
            raise ValueError(f"layer {layer.name}: writes {axis_text(axis)} to a site along {axis_text(target)}")
        if role == "source" and axis != source and not (isinstance(axis, Product) and source in axis.factors):
            raise ValueError(f"layer {layer.name}: reads {axis_text(axis)} from a site along {axis_text(source)}")


def layers_between(spec: SymmetrySpec, site: str) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
    """The layers that write a site, and those that read it."""
    writers = tuple(layer for layer in spec.layers if layer.target == site and layer.kind != "vector")
    readers = tuple(layer for layer in spec.layers if layer.source == site and layer.kind != "vector")
    return writers, readers
