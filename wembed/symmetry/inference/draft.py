"""A spec while it is being put together: what the ways to find one share."""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Self

from wembed.symmetry.axes import Axis, Product
from wembed.symmetry.inference.chains import Module, Shapes, natural_key
from wembed.symmetry.spec import Atom, AtomKind, AxisRole, Layer, Site, SymmetrySpec, Tier

ASSUMED_EPS = 1e-5  # PyTorch's default for batch norm; files do not store it


@dataclass
class Draft:
    """The parts of a spec, in the order in which they are found."""

    shapes: Shapes
    atoms: dict[str, Atom] = field(default_factory=dict)
    tensors: dict[str, tuple[Axis, ...]] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, shapes: Shapes) -> Self:
        """An empty draft over tensors in their natural order."""
        return cls(dict(sorted(shapes.items(), key=lambda item: natural_key(item[0]))))

    def atom(self, name: str, size: int, kind: AtomKind, frozen: str = "") -> str:
        """Add an atom, unless it is there; its name."""
        self.atoms.setdefault(name, Atom(name, size, kind, frozen))
        return name

    def site(self, name: str, axis: Axis, activation: str = "unknown", fixed: bool = False) -> str:
        """Add a site, unless it is there; its name."""
        self.sites.setdefault(name, Site(name, axis, activation, fixed=fixed))
        return name

    def dense(self, module: Module, source: str, target: str) -> None:
        """Add a dense layer between two sites. A weight that reads more than the site has reads it flattened."""
        source_axis, target_axis = self.sites[source].axis, self.sites[target].axis
        reads, size = module.shape[1], self.atoms[str(source_axis)].size
        if reads != size:
            pixels = self.atom(f"{module.path}.pixels", reads // size, "spatial", "pixels of a flatten")
            source_axis = Product((source_axis, pixels))
        kernel = enumerate(module.shape[2:])
        taps = [self.atom(f"{module.path}.tap{i}", size, "spatial", "kernel taps") for i, size in kernel]
        self.tensors[module.tensors["weight"]] = (target_axis, source_axis, *taps)
        if "bias" in module.tensors:
            self.tensors[module.tensors["bias"]] = (target_axis,)
        self.layers.append(Layer(module.path, "dense", source, target, module.tensors, _layout(len(module.shape))))

    def batch_norm(self, module: Module, source: str, activation: str) -> str:
        """Add a batch norm behind a site; the name of the site that it writes."""
        axis = self.sites[source].axis
        target = self.site(f"{module.path}.out", axis, activation, self.sites[source].fixed)
        self.tensors |= dict.fromkeys(module.tensors.values(), (axis,))
        self.layers.append(Layer(module.path, "batch_norm", source, target, module.tensors, eps=ASSUMED_EPS))
        self.notes.append(f"{module.path}: eps {ASSUMED_EPS:g} assumed, files do not store it")
        return target

    def vectors(self, names: Iterable[str], site: str) -> None:
        """Add vectors along a site, of which no more is known."""
        for name in names:
            self.tensors[name] = (self.sites[site].axis,)
            self.layers.append(Layer(name, "vector", site, site, {"vector": name}))

    def add_rest(self) -> None:
        """Freeze every tensor that is not in the draft yet: its axes become atoms of their own."""
        rest = [name for name in self.shapes if name not in self.tensors]
        for name in rest:
            why = "no part of a chain that is known"
            names = [_unused(f"{name}.{i}", self.atoms) for i in range(len(self.shapes[name]))]
            axes = [self.atom(atom, size, "hidden", why) for atom, size in zip(names, self.shapes[name], strict=True)]
            self.tensors[name] = tuple(axes)
            if len(axes) == 1:
                self.vectors([name], self.site(_unused(name, self.sites), axes[0], fixed=True))
            elif axes:
                source = self.site(_unused(f"{name}.in", self.sites), axes[1], fixed=True)
                target = self.site(_unused(f"{name}.out", self.sites), axes[0], fixed=True)
                self.layers.append(Layer(name, "dense", source, target, {"weight": name}, _layout(len(axes))))
        if rest:
            self.notes.append(f"{len(rest)} tensors frozen, no part of a known chain: {_some(rest)}")

    def finish(self, tier: Tier) -> SymmetrySpec:
        """The spec."""
        notes = tuple(dict.fromkeys(self.notes))
        return SymmetrySpec(tier, self.atoms, self.tensors, self.sites, tuple(self.layers), notes=notes)


def _unused(name: str, known: Container[str]) -> str:
    """A name that nothing has yet: a tensor may be called like a part of another layer."""
    while name in known:
        name += "_"
    return name


def _layout(axes: int) -> tuple[AxisRole, ...]:
    """PyTorch's order of a weight's axes."""
    taps: list[AxisRole] = ["tap"] * (axes - 2)
    return ("target", "source", *taps)


def _some(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
