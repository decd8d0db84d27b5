"""Small networks with every kind of symmetry, each with the spec that is written down for it by hand.

Each is a spec, random tensors and a function of these that runs the network in float64. Legend: n positions, D stream,
g key heads, r queries for each of them, d dimensions of a head.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from wembed.symmetry import Atom, Layer, Site, SymmetrySpec
from wembed.symmetry.axes import Axis, Product, Sum
from wembed.symmetry.spec import AxisRole

Arrays = dict[str, NDArray[np.float64]]
Forward = Callable[[Arrays], NDArray[np.float64]]

DENSE: tuple[AxisRole, ...] = ("target", "source")
CONV: tuple[AxisRole, ...] = ("target", "source", "tap", "tap")
POSITIONS, STREAM, OUTPUTS = 5, 6, 3


@dataclass(frozen=True)
class Net:
    """A spec, what it is the spec of, and how that is run."""

    spec: SymmetrySpec
    arrays: Arrays
    forward: Forward


def atoms(sizes: Mapping[str, int], under: Mapping[str, str] | None = None, frozen: str = "x y unit k1 k2") -> dict:
    """Atoms by name, the inputs and outputs and kernels among them frozen."""
    kinds = {"x": "input", "y": "output", "k1": "spatial", "k2": "spatial"}
    return {
        name: Atom(
            name,
            size,
            kinds.get(name, "hidden"),
            f"model {kinds.get(name)}" if name in frozen.split() else "",
            (under or {}).get(name, ""),
        )
        for name, size in sizes.items()
    }


def dense(name: str, source: str, target: str, bias: bool = True, **more) -> Layer:
    """A dense layer whose tensors are called after it."""
    tensors = {"weight": f"{name}.weight"} | ({"bias": f"{name}.bias"} if bias else {})
    return Layer(name, "dense", source, target, tensors, more.pop("layout", DENSE), **more)


def make(
    atom_of: dict, tensors: Mapping[str, tuple[Axis, ...]], sites: list[Site], layers: list[Layer], seed: int, **more
) -> tuple[SymmetrySpec, Arrays]:
    """The spec, and random tensors for it."""
    spec = SymmetrySpec("given", atom_of, tensors, {site.name: site for site in sites}, tuple(layers), **more)
    generator = np.random.default_rng(seed)
    arrays = {}
    for name, axes in tensors.items():
        shape = [spec.size_of(axis) for axis in axes]
        fan = np.prod(shape[1:]) if len(shape) > 1 else 4.0
        arrays[name] = generator.normal(0.0, 1.2 / np.sqrt(fan), shape)
    return spec, arrays


def fixed(name: str, axis: Axis) -> Site:
    """A site that takes no factors."""
    return Site(name, axis, fixed=True)


def inputs(*shape: int) -> NDArray[np.float64]:
    """The same random inputs in every run."""
    return np.random.default_rng(99).normal(size=shape)


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis."""
    exponents = np.exp(scores - scores.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def gelu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The function of that name."""
    return functional.gelu(torch.from_numpy(x)).numpy()


def attend(q, k, v, rotary: bool = False):
    """Heads [n, g, r, d] and [n, g, d]: what the values add up to, [n, g, r, d]."""
    if rotary:
        q, k = _rotated(q), _rotated(k)
    scores = np.einsum("ngrd,mgd->grnm", q, k) / np.sqrt(q.shape[-1])
    return np.einsum("grnm,mgd->ngrd", softmax(scores), v)


def _rotated(x):
    half = x.shape[-1] // 2
    angles = np.arange(len(x))[:, None] * 10.0 ** -np.arange(half)
    angles = angles.reshape(len(x), *[1] * (x.ndim - 2), half)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * np.cos(angles) - b * np.sin(angles), b * np.cos(angles) + a * np.sin(angles)], -1)


def attention(seed: int = 0) -> Net:
    """Grouped queries, biases everywhere, no rotary embedding."""
    q, k, v = Product(("g", "r", "d")), Product(("g", "d")), Product(("g", "e"))
    o = Product(("g", "r", "e"))
    tensors = {
        "q.weight": (q, "x"),
        "q.bias": (q,),
        "k.weight": (k, "x"),
        "k.bias": (k,),
        "v.weight": (v, "x"),
        "v.bias": (v,),
        "o.weight": ("y", o),
        "o.bias": ("y",),
    }
    sites = [
        fixed("input", "x"),
        Site("q", k, "scores"),
        Site("k", k, "scores", dual="q"),
        Site("v", v, "attention"),
        fixed("output", "y"),
    ]
    layers = [dense(name, "input", name) for name in "qkv"] + [dense("o", "v", "output")]
    sizes = {"x": STREAM, "g": 2, "r": 2, "d": 4, "e": 3, "y": OUTPUTS}
    spec, arrays = make(atoms(sizes, {"d": "g", "e": "g"}), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        x = inputs(POSITIONS, STREAM)
        heads = [x @ w[f"{name}.weight"].T + w[f"{name}.bias"] for name in "qkv"]
        q, k, v = heads[0].reshape(-1, 2, 2, 4), heads[1].reshape(-1, 2, 4), heads[2].reshape(-1, 2, 3)
        return attend(q, k, v).reshape(POSITIONS, -1) @ w["o.weight"].T + w["o.bias"]

    return Net(spec, arrays, forward)


def rotary(seed: int = 0) -> Net:
    """Grouped queries with a rotary embedding, behind a norm's gain; biases on queries only."""
    q, k = Product(("g", "r", Sum(("h", "h")))), Product(("g", Sum(("h", "h"))))
    tensors = {
        "norm.weight": ("x",),
        "q.weight": (q, "x"),
        "q.bias": (q,),
        "k.weight": (k, "x"),
        "v.weight": (Product(("g", "e")), "x"),
        "o.weight": ("y", Product(("g", "r", "e"))),
    }
    plane = Product(("g", "h"))
    sites = [
        fixed("input", "x"),
        Site("normed", "x", "identity"),
        Site("q", plane, "rotary"),
        Site("k", plane, "rotary", dual="q"),
        Site("v", Product(("g", "e")), "attention"),
        fixed("output", "y"),
    ]
    layers = [Layer("norm", "gain", "input", "normed", {"weight": "norm.weight"})]
    for part in (0, 1):
        layers.append(replace(dense("q", "normed", "q", target_part=(part,)), name=f"q{part}"))
        layers.append(replace(dense("k", "normed", "k", bias=False, target_part=(part,)), name=f"k{part}"))
    layers += [dense("v", "normed", "v", bias=False), dense("o", "v", "output", bias=False)]
    made = atoms({"x": STREAM, "g": 2, "r": 2, "h": 3, "e": 3, "y": OUTPUTS}, {"h": "g", "e": "g"})
    made["h"] = replace(made["h"], frozen="rotary")
    spec, arrays = make(made, tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        x = inputs(POSITIONS, STREAM) * w["norm.weight"]
        q = (x @ w["q.weight"].T + w["q.bias"]).reshape(-1, 2, 2, 6)
        k, v = (x @ w["k.weight"].T).reshape(-1, 2, 6), (x @ w["v.weight"].T).reshape(-1, 2, 3)
        return attend(q, k, v, rotary=True).reshape(POSITIONS, -1) @ w["o.weight"].T

    return Net(spec, arrays, forward)


def gated(seed: int = 0) -> Net:
    """A gated MLP behind a norm with gain and bias, on a residual stream."""
    tensors = {
        "first.weight": ("s", "x"),
        "norm.weight": ("s",),
        "norm.bias": ("s",),
        "gate.weight": ("m", "s"),
        "up.weight": ("m", "s"),
        "down.weight": ("s", "m"),
        "last.weight": ("y", "s"),
    }
    sites = [
        fixed("input", "x"),
        fixed("stream", "s"),
        fixed("normalised", "s"),
        Site("normed", "s", "identity"),
        Site("gate", "m", "silu"),
        Site("up", "m", "identity"),
        fixed("output", "y"),
    ]
    layers = [
        dense("first", "input", "stream", bias=False),
        Layer("norm", "gain", "normalised", "normed", {"weight": "norm.weight", "bias": "norm.bias"}),
        dense("gate", "normed", "gate", bias=False),
        dense("up", "normed", "up", bias=False),
        dense("down", "up", "stream", bias=False),
        dense("last", "stream", "output", bias=False),
    ]
    spec, arrays = make(atoms({"x": 5, "s": STREAM, "m": 7, "y": OUTPUTS}), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        stream = inputs(POSITIONS, 5) @ w["first.weight"].T
        normed = _normalised(stream) * w["norm.weight"] + w["norm.bias"]
        gate = normed @ w["gate.weight"].T
        inner = gate / (1 + np.exp(-gate)) * (normed @ w["up.weight"].T)
        return (stream + inner @ w["down.weight"].T) @ w["last.weight"].T

    return Net(spec, arrays, forward)


def _normalised(x: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def post_norm(seed: int = 0) -> Net:
    """A GELU block whose norm's output is the next block's stream."""
    tensors = {
        "first.weight": ("s", "x"),
        "in.weight": ("m", "s"),
        "in.bias": ("m",),
        "out.weight": ("s", "m"),
        "norm.weight": ("s",),
        "norm.bias": ("s",),
        "last.weight": ("y", "s"),
    }
    sites = [
        fixed("input", "x"),
        fixed("stream", "s"),
        Site("inner", "m", "gelu"),
        fixed("normalised", "s"),
        Site("normed", "s", "identity", limit="none"),
        fixed("output", "y"),
    ]
    layers = [
        dense("first", "input", "stream", bias=False),
        dense("in", "stream", "inner"),
        dense("out", "inner", "stream", bias=False),
        Layer("norm", "gain", "normalised", "normed", {"weight": "norm.weight", "bias": "norm.bias"}),
        dense("last", "normed", "output", bias=False),
    ]
    spec, arrays = make(atoms({"x": 5, "s": STREAM, "m": 7, "y": OUTPUTS}), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        stream = inputs(POSITIONS, 5) @ w["first.weight"].T
        stream = stream + gelu(stream @ w["in.weight"].T + w["in.bias"]) @ w["out.weight"].T
        return (_normalised(stream) * w["norm.weight"] + w["norm.bias"]) @ w["last.weight"].T

    return Net(spec, arrays, forward)


def residual(seed: int = 0) -> Net:
    """A ReLU net on a residual stream that may be scaled channel by channel."""
    tensors, layers = {"first.weight": ("s", "x"), "first.bias": ("s",)}, [dense("first", "input", "s0")]
    sites = [fixed("input", "x"), Site("s0", "s", "relu")]
    for block in range(2):
        inner = f"m{block}"
        tensors |= {f"a{block}.weight": (inner, "s"), f"a{block}.bias": (inner,)}
        tensors |= {f"b{block}.weight": ("s", inner), f"b{block}.bias": ("s",)}
        sites.append(Site(inner, inner, "relu"))
        layers += [dense(f"a{block}", "s0", inner), dense(f"b{block}", inner, "s0")]
    tensors["last.weight"] = ("y", "s")
    layers.append(dense("last", "s0", "output", bias=False))
    sites.append(fixed("output", "y"))
    sizes = {"x": 5, "s": STREAM, "m0": 7, "m1": 4, "y": OUTPUTS}
    spec, arrays = make(atoms(sizes), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        s = np.maximum(inputs(POSITIONS, 5) @ w["first.weight"].T + w["first.bias"], 0)
        for block in range(2):
            inner = np.maximum(s @ w[f"a{block}.weight"].T + w[f"a{block}.bias"], 0)
            s = np.maximum(s + inner @ w[f"b{block}.weight"].T + w[f"b{block}.bias"], 0)
        return s @ w["last.weight"].T

    return Net(spec, arrays, forward)


def fused(seed: int = 0) -> Net:
    """One weight for queries, keys and values, sources first, each head with a query of its own."""
    qkv = Sum((Product(("g", "d")), Product(("g", "d")), Product(("g", "e"))))
    tensors = {
        "qkv.weight": ("x", qkv),
        "qkv.bias": (qkv,),
        "o.weight": (Product(("g", "e")), "y"),
        "o.bias": ("y",),
    }
    sites = [
        fixed("input", "x"),
        Site("q", Product(("g", "d")), "scores"),
        Site("k", Product(("g", "d")), "scores", dual="q"),
        Site("v", Product(("g", "e")), "attention"),
        fixed("output", "y"),
    ]
    layout: tuple[AxisRole, ...] = ("source", "target")
    layers = [
        replace(dense("qkv", "input", name, layout=layout, target_part=(part,)), name=name)
        for part, name in enumerate("qkv")
    ]
    layers.append(dense("o", "v", "output", layout=layout))
    sizes = {"x": STREAM, "g": 2, "d": 4, "e": 3, "y": OUTPUTS}
    spec, arrays = make(atoms(sizes, {"d": "g", "e": "g"}), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        made = inputs(POSITIONS, STREAM) @ w["qkv.weight"] + w["qkv.bias"]
        q, k, v = made[:, :8].reshape(-1, 2, 1, 4), made[:, 8:16].reshape(-1, 2, 4), made[:, 16:].reshape(-1, 2, 3)
        return attend(q, k, v).reshape(POSITIONS, -1) @ w["o.weight"] + w["o.bias"]

    return Net(spec, arrays, forward)


def fused_by_head(seed: int = 0) -> Net:
    """Queries, keys and values side by side within each head."""
    qkv = Product(("g", Sum(("d", "d", "e"))))
    tensors = {
        "qkv.weight": (qkv, "x"),
        "qkv.bias": (qkv,),
        "o.weight": ("y", Product(("g", "e"))),
        "o.bias": ("y",),
    }
    base = fused(seed)
    layers = [replace(dense("qkv", "input", name, target_part=(part,)), name=name) for part, name in enumerate("qkv")]
    layers.append(dense("o", "v", "output"))
    spec, arrays = make(dict(base.spec.atoms), tensors, list(base.spec.sites.values()), layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        made = (inputs(POSITIONS, STREAM) @ w["qkv.weight"].T + w["qkv.bias"]).reshape(POSITIONS, 2, 11)
        q, k, v = made[:, :, None, :4], made[:, :, 4:8], made[:, :, 8:]
        return attend(q, k, v).reshape(POSITIONS, -1) @ w["o.weight"].T + w["o.bias"]

    return Net(spec, arrays, forward)


def convolutions(seed: int = 0) -> Net:
    """A convolution, a depthwise one, a grouped one, and a dense layer on all pixels, with ReLU between."""
    grouped = Product(("g", "i"))
    tensors = {
        "a.weight": (grouped, "x", "k1", "k2"),
        "a.bias": (grouped,),
        "b.weight": (grouped, "unit", "k1", "k2"),
        "b.bias": (grouped,),
        "c.weight": (Product(("g", "o")), "i", "k1", "k2"),
        "c.bias": (Product(("g", "o")),),
        "d.weight": ("y", Product(("g", "o", "pixel"))),
    }
    sites = [
        fixed("input", "x"),
        Site("a", grouped, "relu"),
        Site("b", grouped, "relu"),
        Site("c", Product(("g", "o")), "relu"),
        fixed("output", "y"),
    ]
    depthwise: tuple[AxisRole, ...] = ("target", "tap", "tap", "tap")
    layers = [
        dense("a", "input", "a", layout=CONV),
        Layer("b", "depthwise", "a", "b", {"weight": "b.weight", "bias": "b.bias"}, depthwise),
        dense("c", "b", "c", layout=CONV),
        dense("d", "c", "output", bias=False),
    ]
    sizes = {"x": 2, "k1": 3, "k2": 3, "unit": 1, "g": 2, "i": 3, "o": 4, "pixel": 16, "y": OUTPUTS}
    made = atoms(sizes, {"i": "g", "o": "g"})
    made["pixel"] = Atom("pixel", 16, "spatial", "pixels")
    spec, arrays = make(made, tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        t = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in w.items()}
        x = torch.from_numpy(inputs(4, 2, 4, 4))
        x = functional.conv2d(x, t["a.weight"], t["a.bias"], padding=1).relu()
        x = functional.conv2d(x, t["b.weight"], t["b.bias"], padding=1, groups=6).relu()
        x = functional.conv2d(x, t["c.weight"], t["c.bias"], padding=1, groups=2).relu()
        return (x.flatten(1) @ t["d.weight"].T).numpy()

    return Net(spec, arrays, forward)


def lstm(seed: int = 0) -> Net:
    """An LSTM: the sign of a cell goes through tanh, into its state and back."""
    gates = Sum(("h",) * 4)
    tensors = {
        "ih.weight": (gates, "x"),
        "ih.bias": (gates,),
        "hh.weight": (gates, "h"),
        "hh.bias": (gates,),
        "last.weight": ("y", "h"),
    }
    sites = [
        fixed("input", "x"),
        *(Site(name, "h", "sigmoid") for name in "ifo"),
        Site("cell", "h", "tanh"),
        fixed("output", "y"),
    ]
    layers = []
    for part, gate in enumerate(("i", "f", "cell", "o")):
        layers.append(replace(dense("ih", "input", gate, target_part=(part,)), name=f"ih.{gate}"))
        layers.append(replace(dense("hh", "cell", gate, target_part=(part,)), name=f"hh.{gate}"))
    layers.append(dense("last", "cell", "output", bias=False))
    spec, arrays = make(atoms({"x": 4, "h": 5, "y": OUTPUTS}), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        h = c = np.zeros((2, 5))
        for x in inputs(POSITIONS, 2, 4):
            i, f, g, o = np.split(x @ w["ih.weight"].T + w["ih.bias"] + h @ w["hh.weight"].T + w["hh.bias"], 4, 1)
            c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            h = np.tanh(c) / (1 + np.exp(-o))
        return h @ w["last.weight"].T

    return Net(spec, arrays, forward)


def lora(seed: int = 0) -> Net:
    """A layer of its own weight and a product of two small ones."""
    tensors = {"base.weight": ("y", "x"), "a.weight": ("r", "x"), "b.weight": ("y", "r")}
    sites = [fixed("input", "x"), Site("rank", "r", "low_rank"), fixed("output", "y")]
    layers = [
        dense("base", "input", "output", bias=False),
        dense("a", "input", "rank", bias=False),
        dense("b", "rank", "output", bias=False),
    ]
    spec, arrays = make(atoms({"x": 6, "r": 3, "y": 5}), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        return inputs(POSITIONS, 6) @ (w["base.weight"] + w["b.weight"] @ w["a.weight"]).T

    return Net(spec, arrays, forward)


def experts(seed: int = 0) -> Net:
    """Gated experts that a router weighs: a file keeps each expert's weights apart."""
    tensors = {
        "router.weight": ("E", "x"),
        "gate_up": ("E", Sum(("m", "m")), "x"),
        "down": ("E", "y", "m"),
    }
    inner = Product(("E", "m"))
    sites = [
        fixed("input", "x"),
        fixed("router", "E"),
        Site("gate", inner, "silu"),
        Site("up", inner, "identity"),
        fixed("output", "y"),
    ]
    layout: tuple[AxisRole, ...] = ("batch", "target", "source")
    layers = [dense("router", "input", "router", bias=False)]
    for part, name in enumerate(("gate", "up")):
        layers.append(Layer(name, "dense", "input", name, {"weight": "gate_up"}, layout, target_part=(part,)))
    layers.append(Layer("down", "dense", "up", "output", {"weight": "down"}, layout))
    stacks = {name: tuple(f"{name}.{number}" for number in range(3)) for name in ("gate_up", "down")}
    made = atoms({"x": 5, "E": 3, "m": 4, "y": OUTPUTS}, {"m": "E"})
    spec, stacked = make(made, tensors, sites, layers, seed, stacks=stacks)
    arrays = {"router.weight": stacked["router.weight"]}
    arrays |= {member: part for name in stacks for member, part in zip(stacks[name], stacked[name], strict=True)}

    def forward(w: Arrays) -> NDArray[np.float64]:
        x, out = inputs(POSITIONS, 5), 0.0
        shares = softmax(x @ w["router.weight"].T)
        for number in range(3):
            gate, up = np.split(x @ w[f"gate_up.{number}"].T, 2, 1)
            out = out + shares[:, number, None] * ((gate / (1 + np.exp(-gate)) * up) @ w[f"down.{number}"].T)
        return out

    return Net(spec, arrays, forward)


def residual_images(seed: int = 0) -> Net:
    """A ReLU CNN on a residual stream with a batch norm on both of its ways, a stride between, pooled at the end."""
    tensors = {
        "first.weight": ("s0", "x", "k1", "k2"),
        "first.bias": ("s0",),
        "a.weight": ("m", "s0", "k1", "k2"),
        "b.weight": ("s", "m", "k1", "k2"),
        "c.weight": ("s", "s0", "unit", "unit"),
        "last.weight": ("y", "s"),
    }
    layers = [dense("first", "input", "s0", layout=CONV), dense("a", "s0", "m.raw", bias=False, layout=CONV)]
    layers += [dense("b", "m", "s.raw", bias=False, layout=CONV), dense("c", "s0", "c.raw", bias=False, layout=CONV)]
    for name, axis, source, target in (("na", "m", "m.raw", "m"), ("nb", "s", "s.raw", "s"), ("nc", "s", "c.raw", "s")):
        roles = {role: f"{name}.{role}" for role in ("weight", "bias", "running_mean", "running_var")}
        tensors |= dict.fromkeys(roles.values(), (axis,))
        layers.append(Layer(name, "batch_norm", source, target, roles))
    layers.append(dense("last", "s", "output", bias=False))
    sites = [fixed("input", "x"), Site("s0", "s0", "relu"), Site("m.raw", "m", "identity"), Site("m", "m", "relu")]
    sites += [
        Site("s.raw", "s", "identity"),
        Site("c.raw", "s", "identity"),
        Site("s", "s", "relu"),
        fixed("output", "y"),
    ]
    sizes = {"x": 2, "s0": 4, "s": 5, "m": 6, "k1": 3, "k2": 3, "unit": 1, "y": OUTPUTS}
    spec, arrays = make(atoms(sizes), tensors, sites, layers, seed)
    arrays |= {name: np.abs(values) + 0.3 for name, values in arrays.items() if "running_var" in name}

    def forward(w: Arrays) -> NDArray[np.float64]:
        t = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in w.items()}

        def normed(x, name):
            stats = (t[f"{name}.{role}"] for role in ("running_mean", "running_var", "weight", "bias"))
            return functional.batch_norm(x, *stats)

        x = functional.conv2d(
            torch.from_numpy(inputs(4, 2, 6, 6)), t["first.weight"], t["first.bias"], padding=1
        ).relu()
        inner = normed(functional.conv2d(x, t["a.weight"], padding=1, stride=2), "na").relu()
        skip = normed(functional.conv2d(x, t["c.weight"], stride=2), "nc")
        x = (skip + normed(functional.conv2d(inner, t["b.weight"], padding=1), "nb")).relu()
        return (x.mean((2, 3)) @ t["last.weight"].T).numpy()

    return Net(spec, arrays, forward)


def concatenated(seed: int = 0) -> Net:
    """A ReLU net whose later layers read all that earlier ones wrote, side by side."""
    tensors = {
        "a.weight": ("a", "x"),
        "a.bias": ("a",),
        "b.weight": ("b", Sum(("x", "a"))),
        "b.bias": ("b",),
        "c.weight": ("y", Sum(("x", "a", "b"))),
        "c.bias": ("y",),
    }
    sites = [fixed("input", "x"), Site("a", "a", "relu"), Site("b", "b", "relu"), fixed("output", "y")]
    layers = [dense("a", "input", "a")]
    for name, target, sources in (("b", "b", ("input", "a")), ("c", "output", ("input", "a", "b"))):
        for part, source in enumerate(sources):
            layer = dense(name, source, target, bias=part == 0, source_part=(part,))
            layers.append(replace(layer, name=f"{name}{part}"))
    spec, arrays = make(atoms({"x": 4, "a": 5, "b": 6, "y": OUTPUTS}), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        seen = inputs(POSITIONS, 4)
        for name in "ab":
            seen = np.concatenate([seen, np.maximum(seen @ w[f"{name}.weight"].T + w[f"{name}.bias"], 0)], 1)
        return seen @ w["c.weight"].T + w["c.bias"]

    return Net(spec, arrays, forward)


def attention_between(seed: int = 0) -> Net:
    """Attention that reads what a ReLU let through, and writes to another: heads and scales depend on each other."""
    base = attention(seed)
    tensors = {**base.spec.tensors, "first.weight": ("s", "x"), "first.bias": ("s",), "last.weight": ("y", "t")}
    tensors |= {f"{name}.weight": (base.spec.tensors[f"{name}.weight"][0], "s") for name in "qkv"}
    tensors |= {"o.weight": ("t", Product(("g", "r", "e"))), "o.bias": ("t",)}
    sites = [*base.spec.sites.values(), Site("s", "s", "relu"), Site("t", "t", "relu")]
    layers = [dense("first", "input", "s"), *(dense(name, "s", name) for name in "qkv")]
    layers += [dense("o", "v", "t"), dense("last", "t", "output", bias=False)]
    sizes = {"x": 5, "s": STREAM, "g": 2, "r": 2, "d": 4, "e": 3, "t": 7, "y": OUTPUTS}
    spec, arrays = make(atoms(sizes, {"d": "g", "e": "g"}), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        x = np.maximum(inputs(POSITIONS, 5) @ w["first.weight"].T + w["first.bias"], 0)
        heads = [x @ w[f"{name}.weight"].T + w[f"{name}.bias"] for name in "qkv"]
        q, k, v = heads[0].reshape(-1, 2, 2, 4), heads[1].reshape(-1, 2, 4), heads[2].reshape(-1, 2, 3)
        made = attend(q, k, v).reshape(POSITIONS, -1) @ w["o.weight"].T + w["o.bias"]
        return np.maximum(made, 0) @ w["last.weight"].T

    return Net(spec, arrays, forward)


def normed_heads(seed: int = 0) -> Net:
    """Queries and keys behind a norm with a gain that all heads share."""
    q = Product(("g", "d"))
    tensors = {"q.weight": (q, "x"), "k.weight": (q, "x"), "qn.weight": ("d",), "kn.weight": ("d",)}
    tensors |= {"v.weight": (Product(("g", "e")), "x"), "o.weight": ("y", Product(("g", "e")))}
    sites = [fixed("input", "x"), fixed("q.raw", q), fixed("k.raw", q), fixed("qn.raw", "d"), fixed("kn.raw", "d")]
    sites += [Site("q", "d", "scores", limit="real"), Site("k", "d", "scores", limit="real", dual="q")]
    sites += [Site("v", Product(("g", "e")), "attention"), fixed("output", "y")]
    layers = [dense("q", "input", "q.raw", bias=False), dense("k", "input", "k.raw", bias=False)]
    layers += [Layer(f"{name}n", "gain", f"{name}n.raw", name, {"weight": f"{name}n.weight"}) for name in "qk"]
    layers += [dense("v", "input", "v", bias=False), dense("o", "v", "output", bias=False)]
    sizes = {"x": STREAM, "g": 2, "d": 4, "e": 3, "y": OUTPUTS}
    spec, arrays = make(atoms(sizes, {"e": "g"}), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        x = inputs(POSITIONS, STREAM)
        q, k = (_normalised((x @ w[f"{name}.weight"].T).reshape(-1, 2, 4)) * w[f"{name}n.weight"] for name in "qk")
        v = (x @ w["v.weight"].T).reshape(-1, 2, 3)
        return attend(q[:, :, None], k, v).reshape(POSITIONS, -1) @ w["o.weight"].T

    return Net(spec, arrays, forward)


def gru(seed: int = 0) -> Net:
    """A GRU: its state is known up to signs."""
    gates = Sum(("h",) * 3)
    tensors = {"ih.weight": (gates, "x"), "ih.bias": (gates,), "hh.weight": (gates, "h"), "hh.bias": (gates,)}
    tensors["last.weight"] = ("y", "h")
    sites = [fixed("input", "x"), Site("r", "h", "sigmoid"), Site("z", "h", "sigmoid"), Site("n", "h", "tanh")]
    sites.append(fixed("output", "y"))
    layers = []
    for part, gate in enumerate("rzn"):
        layers.append(replace(dense("ih", "input", gate, target_part=(part,)), name=f"ih.{gate}"))
        layers.append(replace(dense("hh", "n", gate, target_part=(part,)), name=f"hh.{gate}"))
    layers.append(dense("last", "n", "output", bias=False))
    spec, arrays = make(atoms({"x": 4, "h": 5, "y": OUTPUTS}), tensors, sites, layers, seed)

    def forward(w: Arrays) -> NDArray[np.float64]:
        h = np.zeros((2, 5))
        for x in inputs(POSITIONS, 2, 4):
            own, back = x @ w["ih.weight"].T + w["ih.bias"], h @ w["hh.weight"].T + w["hh.bias"]
            r, z = (1 / (1 + np.exp(-(own + back)[:, part * 5 : part * 5 + 5])) for part in (0, 1))
            h = (1 - z) * np.tanh(own[:, 10:] + r * back[:, 10:]) + z * h
        return h @ w["last.weight"].T

    return Net(spec, arrays, forward)


def decoder(seed: int = 0) -> Net:
    """A dense layer to channels and pixels, a depthwise convolution with a norm, a transposed one."""
    tensors = {
        "a.weight": (Product(("c", "pixel")), "x"),
        "b.weight": ("c", "unit", "k1", "k2"),
        "d.weight": ("c", "y", "k1", "k2"),
        "d.bias": ("y",),
    }
    roles = {role: f"n.{role}" for role in ("weight", "bias", "running_mean", "running_var")}
    tensors |= dict.fromkeys(roles.values(), ("c",))
    sites = [fixed("input", "x"), Site("a", "c", "relu"), Site("b.raw", "c", "identity"), Site("b", "c", "relu")]
    sites.append(fixed("output", "y"))
    layers = [
        dense("a", "input", "a", bias=False),
        Layer("b", "depthwise", "a", "b.raw", {"weight": "b.weight"}, ("target", "tap", "tap", "tap")),
        Layer("n", "batch_norm", "b.raw", "b", roles),
        dense("d", "b", "output", layout=("source", "target", "tap", "tap")),
    ]
    made = atoms({"x": 4, "c": 5, "unit": 1, "k1": 3, "k2": 3, "y": 2})
    made["pixel"] = Atom("pixel", 9, "spatial", "pixels")
    spec, arrays = make(made, tensors, sites, layers, seed)
    arrays["n.running_var"] = np.abs(arrays["n.running_var"]) + 0.3

    def forward(w: Arrays) -> NDArray[np.float64]:
        t = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in w.items()}
        x = (torch.from_numpy(inputs(4, 4)) @ t["a.weight"].T).reshape(4, 5, 3, 3).relu()
        x = functional.conv2d(x, t["b.weight"], padding=1, groups=5)
        stats = (t[f"n.{role}"] for role in ("running_mean", "running_var", "weight", "bias"))
        x = functional.batch_norm(x, *stats).relu()
        return functional.conv_transpose2d(x, t["d.weight"], t["d.bias"]).numpy()

    return Net(spec, arrays, forward)


def preactivated(seed: int = 0) -> Net:
    """Batch norms in front of layers, over all that was written so far: two read one value."""
    tensors = {"a.weight": ("a", "x"), "b.weight": ("b", "a"), "c.weight": ("y", Sum(("a", "b"))), "c.bias": ("y",)}
    roles = ("weight", "bias", "running_mean", "running_var")
    tensors |= {f"n0.{role}": ("a",) for role in roles} | {f"n1.{role}": (Sum(("a", "b")),) for role in roles}
    sites = [fixed("input", "x"), Site("a", "a", "identity"), Site("b", "b", "identity"), fixed("output", "y")]
    sites += [Site(name, name[-1], "relu") for name in ("n0.a", "n1.a", "n1.b")]
    layers = [dense("a", "input", "a", bias=False), dense("b", "n0.a", "b", bias=False)]
    for name, source, part in (("n0", "a", ()), ("n1", "a", (0,)), ("n1", "b", (1,))):
        used = {role: f"{name}.{role}" for role in roles}
        layers.append(Layer(f"{name}.{source}", "batch_norm", source, f"{name}.{source}", used, target_part=part))
    for part, source in enumerate("ab"):
        layers.append(replace(dense("c", f"n1.{source}", "output", part == 0, source_part=(part,)), name=f"c{part}"))
    spec, arrays = make(atoms({"x": 4, "a": 5, "b": 6, "y": OUTPUTS}), tensors, sites, layers, seed)
    arrays |= {name: np.abs(values) + 0.3 for name, values in arrays.items() if "running_var" in name}

    def forward(w: Arrays) -> NDArray[np.float64]:
        def normed(x, name):
            unit = (x - w[f"{name}.running_mean"]) / np.sqrt(w[f"{name}.running_var"] + 1e-5)
            return np.maximum(unit * w[f"{name}.weight"] + w[f"{name}.bias"], 0)

        a = inputs(POSITIONS, 4) @ w["a.weight"].T
        b = normed(a, "n0") @ w["b.weight"].T
        return normed(np.concatenate([a, b], 1), "n1") @ w["c.weight"].T + w["c.bias"]

    return Net(spec, arrays, forward)


NETWORKS = {
    made.__name__: made
    for made in (
        attention,
        rotary,
        gated,
        post_norm,
        residual,
        fused,
        fused_by_head,
        convolutions,
        lstm,
        lora,
        experts,
        residual_images,
        concatenated,
        attention_between,
        normed_heads,
        gru,
        decoder,
        preactivated,
    )
}
