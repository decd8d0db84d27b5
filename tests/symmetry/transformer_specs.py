"""Specs of small decoders, written out by hand for any depth and width."""

from dataclasses import dataclass

from wembed.symmetry.axes import Axis, Product, Sum
from wembed.symmetry.spec import Atom, Layer, Site, SymmetrySpec


@dataclass(frozen=True)
class Decoder:
    """A decoder's sizes."""

    layers: int
    hidden: int = 10
    mlp: int = 14
    heads: int = 3
    repeats: int = 2
    value: int = 4
    half: int = 5
    vocabulary: int = 23


def decoder_spec(sizes: Decoder) -> SymmetrySpec:
    """A pre-norm decoder with grouped queries, rotary positions and a gated MLP."""
    atoms = [
        Atom("embed.vocabulary", sizes.vocabulary, "vocabulary", "vocabulary"),
        Atom("embed.out", sizes.hidden, "hidden"),
    ]
    tensors: dict[str, tuple[Axis, ...]] = {"embed.weight": ("embed.vocabulary", "embed.out")}
    sites = [Site("embed.in", "embed.vocabulary", fixed=True), Site("embed.out", "embed.out", fixed=True)]
    layers = [Layer("embed", "dense", "embed.in", "embed.out", {"weight": "embed.weight"}, ("source", "target"))]
    for number in range(sizes.layers):
        _add_layer(f"layers.{number}", sizes, atoms, tensors, sites, layers)
    tensors["head.weight"] = ("embed.vocabulary", "embed.out")
    sites.append(Site("head.out", "embed.vocabulary", fixed=True))
    layers.append(Layer("head", "dense", "embed.out", "head.out", {"weight": "head.weight"}, ("target", "source")))
    return SymmetrySpec(
        "traced", {a.name: a for a in atoms}, tensors, {site.name: site for site in sites}, tuple(layers)
    )


def _add_layer(
    path: str,
    sizes: Decoder,
    atoms: list[Atom],
    tensors: dict[str, tuple[Axis, ...]],
    sites: list[Site],
    layers: list[Layer],
) -> None:
    q, k, v, o, up, down = (f"{path}.{name}" for name in ("q", "k", "v", "o", "up", "down"))
    atoms += [
        Atom(f"{q}.heads", sizes.heads, "head"),
        Atom(f"{q}.repeats", sizes.repeats, "head"),
        Atom(f"{q}.head_dim", sizes.half, "head_dim", "rotary pairs", f"{q}.heads"),
        Atom(f"{v}.head_dim", sizes.value, "head_dim", "", f"{q}.heads"),
        Atom(f"{up}.out", sizes.mlp, "hidden"),
    ]
    halves = Sum((f"{q}.head_dim", f"{q}.head_dim"))
    tensors |= {
        f"{q}.weight": (Product((f"{q}.heads", f"{q}.repeats", halves)), "embed.out"),
        f"{k}.weight": (Product((f"{q}.heads", halves)), "embed.out"),
        f"{v}.weight": (Product((f"{q}.heads", f"{v}.head_dim")), "embed.out"),
        f"{o}.weight": ("embed.out", Product((f"{q}.heads", f"{q}.repeats", f"{v}.head_dim"))),
        f"{up}.weight": (f"{up}.out", "embed.out"),
        f"{down}.weight": ("embed.out", f"{up}.out"),
    }
    rotary, value = Product((f"{q}.heads", f"{q}.head_dim")), Product((f"{q}.heads", f"{v}.head_dim"))
    sites += [
        Site(f"{q}.out", rotary, "rotary"),
        Site(f"{k}.out", rotary, "rotary", dual=f"{q}.out"),
        Site(f"{v}.out", value, "attention"),
        Site(f"{up}.out", f"{up}.out", "relu"),
    ]
    for name in (q, k):
        layers += [_dense(name, "embed.out", f"{name}.out", part) for part in (0, 1)]
    layers += [_dense(v, "embed.out", f"{v}.out"), _dense(o, f"{v}.out", "embed.out")]
    layers += [_dense(up, "embed.out", f"{up}.out"), _dense(down, f"{up}.out", "embed.out")]


def _dense(path: str, source: str, target: str, part: int | None = None) -> Layer:
    tensors = {"weight": f"{path}.weight"}
    name, parts = (path, ()) if part is None else (f"{path}.part{part}", (part,))
    return Layer(name, "dense", source, target, tensors, ("target", "source"), target_part=parts)
