"""Which layers stand on which side of a site, and what follows for the factors that it can take.

A site's factors multiply what writes it and divide what reads it; its duals take them inverted. So the writers of a
site and the readers of its duals change in one way, its readers and the writers of its duals in the inverse one.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from wembed.symmetry.spec import Layer, ScaleClass, SymmetrySpec


@dataclass(frozen=True)
class Sides:
    """The layers beside every site of a spec.

    Args:
        spec: whose sites.
        writers: site -> the layers that write it.
        readers: site -> the layers that read it.
        duals: site -> the sites that take its factors inverted.
    """

    spec: SymmetrySpec
    writers: Mapping[str, tuple[Layer, ...]]
    readers: Mapping[str, tuple[Layer, ...]]
    duals: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, spec: SymmetrySpec) -> Self:
        """Those of a spec."""
        writers: dict[str, tuple[Layer, ...]] = defaultdict(tuple)
        readers: dict[str, tuple[Layer, ...]] = defaultdict(tuple)
        duals: dict[str, tuple[str, ...]] = defaultdict(tuple)
        for layer in spec.layers:
            writers[layer.target] += (layer,)
            readers[layer.source] += (layer,)
        for site in spec.sites.values():
            if site.dual:
                duals[site.dual] += (site.name,)
        return cls(spec, writers, readers, duals)

    def primary(self, site: str) -> str:
        """The site whose factors a site takes, inverted or not."""
        return self.spec.sites[site].dual or site

    def scale(self, site: str) -> ScaleClass:
        """The factors that can be carried out on a site and its duals: their class, or what their layers leave of it.

        Matrices act on weights only; a rotation needs both halves of every weight that writes; and what nothing takes
        back cannot be given.
        """
        site = self.primary(site)
        scale = self.spec.sites[site].scale
        names = (site, *self.duals[site])
        beside = [layer for name in names for layer in (*self.writers[name], *self.readers[name])]
        if not (self.readers[site] or self.duals[site]):
            return "none"
        if scale == "linear" and any(layer.kind != "dense" for layer in beside):
            return "real"
        if scale == "rotary" and not all(self._can_turn(name) for name in names):
            return "positive"
        return scale

    def _can_turn(self, site: str) -> bool:
        groups = self._halves(site).values()
        paired = all(len(group) == 2 and group[0].tensors.keys() == group[1].tensors.keys() for group in groups)
        return paired and not self.readers[site] and all(layer.kind == "dense" for layer in self.writers[site])

    def halves(self, site: str) -> list[tuple[Layer, Layer]]:
        """The pairs of layers that write the real and the imaginary parts of a site that can be turned."""
        return [(group[0], group[1]) for group in self._halves(site).values()]

    def _halves(self, site: str) -> dict[tuple[str, str, tuple[int, ...]], list[Layer]]:
        found: dict[tuple[str, str, tuple[int, ...]], list[Layer]] = defaultdict(list)
        for layer in self.writers[site]:
            if layer.kind == "dense":
                found[layer.tensors["weight"], layer.source, layer.source_part].append(layer)
        for group in found.values():
            group.sort(key=lambda layer: layer.target_part)
        return found

    def shifts_values(self, site: str) -> bool:
        """Whether what is added to a site can be taken from its readers: attention weights add up to 1."""
        found = self.spec.sites[site]
        plain = all(layer.kind == "dense" and "tap" not in layer.layout for layer in self.readers[site])
        dense = all(layer.kind == "dense" for layer in self.writers[site])
        both = bool(self.writers[site]) and bool(self.readers[site])
        return found.activation == "attention" and not found.fixed and plain and dense and both

    def shifts_keys(self, site: str) -> bool:
        """Whether any vector may be added to a site: a softmax over keys does not see what all keys share."""
        found = self.spec.sites[site]
        dense = all(layer.kind == "dense" for layer in self.writers[site]) and not self.readers[site]
        return bool(found.dual) and found.activation == "scores" and not found.fixed and dense

    def can_shift(self, site: str) -> bool:
        """Whether there are biases for such a vector to go into."""
        into = any("bias" in layer.tensors for layer in self.writers[site])
        out_of = all("bias" in layer.tensors for layer in self.readers[site])
        return into and out_of and (self.shifts_keys(site) or self.shifts_values(site))
