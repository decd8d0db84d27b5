"""Residual streams: a spec in; the axes of tensors that one orthogonal map may turn together out.

What pre-norm blocks add to a stream is read behind norms only. A norm's gain can move into the weights that read it,
and what is left of the norm lets any orthogonal map through that keeps the vector of ones (without subtracting the
mean, as in RMSNorm, any at all; which of the two a file's norms are, it does not say). Where a gain cannot move, since
tied embeddings read and write the stream at once or the norm's output is the network's, only permutations pass; the
same holds for streams that are normalised on their way (post-norm, as in BERT).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wembed.symmetry import Layer, SymmetrySpec
from wembed.symmetry.axes import Axis, atoms_of
from wembed.symmetry.spec import layers_between

_HEADS = ("attention", "scores", "bilinear", "rotary")  # activations of sites inside attention
_TOKENS = ("cls_token", "class_token", "dist_token", "distillation_token", "class_embedding")
_BEHIND_NORM = ("real", "linear")  # classes of sites that a gain may leave


@dataclass(frozen=True)
class Norm:
    """A gain behind a norm of the stream, and what reads it.

    Args:
        gain: the tensor of its factors [n].
        bias: the tensor that is added after them, or "".
        readers: weight -> the axis along which it reads the stream.
        biases: weight -> the bias [targets] of the same layers, of all readers or of none.
    """

    gain: str
    bias: str
    readers: Mapping[str, int]
    biases: Mapping[str, str]

    @property
    def keeps_bias(self) -> bool:
        """Whether its bias has to stay, since some reader has none that could take it."""
        return bool(self.bias) and not self.biases


@dataclass(frozen=True)
class Stream:
    """A residual stream that orthogonal maps pass.

    Args:
        atom: its channels, n of them.
        writers: tensor -> the axis along which it writes the stream.
        norms: all that reads it.
    """

    atom: str
    writers: Mapping[str, int]
    norms: tuple[Norm, ...]

    @property
    def turned(self) -> dict[str, int]:
        """Tensor -> the axis that a map of the stream turns, once gains are in what reads them."""
        kept = {norm.bias: 0 for norm in self.norms if norm.keeps_bias}
        return {**self.writers, **kept, **{name: axis for norm in self.norms for name, axis in norm.readers.items()}}


def streams_of(spec: SymmetrySpec) -> tuple[Stream, ...]:
    """The streams of transformers that orthogonal maps pass; none of what is not known by tracing or by name."""
    attends = any(site.activation in _HEADS for site in spec.sites.values())
    if spec.tier == "inferred" or not attends:
        return ()
    found = (_stream(spec, atom.name) for atom in spec.atoms.values() if atom.kind == "hidden" and not atom.frozen)
    return tuple(stream for stream in found if stream)


def _stream(spec: SymmetrySpec, atom: str) -> Stream | None:
    """What stands along an atom as a stream, or None if anything along it is no part of one."""
    tokens = _tokens(spec, atom)
    layers = [layer for layer in spec.layers if tokens.keys().isdisjoint(layer.tensors.values())]
    used = {name for layer in layers for name in (layer.source, layer.target)}  # others are of a tensor's aliases
    sites = [site.name for site in spec.sites.values() if atom in atoms_of(site.axis) and site.name in used]
    carried = [name for name in sites if _is_carried(spec, name)]
    behind = {layer.target: layer for name in carried for layer in layers_between(spec, name)[1]}
    if not carried or set(sites) != {*carried, *behind}:
        return None
    if not all(_is_behind_norm(spec, site, gain) for site, gain in behind.items()):
        return None
    writing = [layer for name in carried for layer in layers_between(spec, name)[0]]
    axes = {name: spec.tensors[name].index(atom) for name in _along(spec, writing, atom)}
    stream = Stream(atom, {**axes, **tokens}, tuple(_norm(spec, site, gain) for site, gain in behind.items()))
    known = [*stream.turned, *(name for norm in stream.norms for name in (norm.gain, norm.bias) if name)]
    standing = [name for name, axes in spec.tensors.items() for axis in axes if atom in atoms_of(axis)]
    return stream if set(known) == set(standing) and len(standing) == len(set(standing)) else None


def _tokens(spec: SymmetrySpec, atom: str) -> dict[str, int]:
    """Vectors that stand in a stream as inputs do, by their names: where they go, tracing does not say."""
    named = (name for name in spec.tensors if name.rpartition(".")[2] in _TOKENS)
    return {
        name: spec.tensors[name].index(atom)
        for name in named
        if atom in spec.tensors[name] and spec.atoms[atom].size == math.prod(map(spec.size_of, spec.tensors[name]))
    }


def _is_carried(spec: SymmetrySpec, name: str) -> bool:
    """Whether a site is what dense layers add up to and norms alone read."""
    site = spec.sites[name]
    writers, readers = layers_between(spec, name)
    plain = isinstance(site.axis, str) and site.activation == "identity" and not site.slope and not site.dual
    dense = all(layer.kind == "dense" for layer in writers)
    gains = all(layer.kind == "gain" and layer.target != name for layer in readers)
    return plain and bool(writers) and dense and bool(readers) and gains


def _is_behind_norm(spec: SymmetrySpec, name: str, gain: Layer) -> bool:
    site = spec.sites[name]
    writers, readers = layers_between(spec, name)
    plain = site.activation == "identity" and site.scale in _BEHIND_NORM and not site.slope and not site.dual
    dense = bool(readers) and all(layer.kind == "dense" for layer in readers)
    return plain and dense and writers == (gain,) and "weight" in gain.tensors


def _along(spec: SymmetrySpec, layers: list[Layer], atom: str) -> Iterator[str]:
    for layer in layers:
        for name in layer.tensors.values():
            if atom in spec.tensors[name]:
                yield name


def _norm(spec: SymmetrySpec, site: str, gain: Layer) -> Norm:
    readers = layers_between(spec, site)[1]
    atom = str(spec.sites[site].axis)
    weights = {layer.tensors["weight"]: spec.tensors[layer.tensors["weight"]] for layer in readers}
    axes = {name: own.index(atom) for name, own in weights.items() if atom in own}
    biases = {layer.tensors["weight"]: layer.tensors["bias"] for layer in readers if _takes_bias(spec, layer, atom)}
    whole = biases if biases.keys() == axes.keys() else {}
    return Norm(gain.tensors["weight"], gain.tensors.get("bias", ""), axes, whole)


def _takes_bias(spec: SymmetrySpec, layer: Layer, atom: str) -> bool:
    """Whether a constant that the layer reads can move into its bias: no padding, and one bias for each target."""
    if "bias" not in layer.tensors or {"tap", "batch"} & set(layer.layout):
        return False
    targets: tuple[Axis, ...] = tuple(axis for axis in spec.tensors[layer.tensors["weight"]] if axis != atom)
    return spec.tensors[layer.tensors["bias"]] == targets
