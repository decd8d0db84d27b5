"""LoRA adapters in peft's layout: pairs of B [out, r] and A [r, in], of which a network only ever sees the product B A.

What enters is a checkpoint; what leaves is a spec in which the rank axis of every pair is free to permute and to mix,
B A = (B R^-1)(R A) for any invertible R. All other axes join the base network, which is not in the file: they stay.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.symmetry.inference.chains import Module, Shapes
from wembed.symmetry.inference.draft import Draft
from wembed.symmetry.spec import SymmetrySpec

# Linear layers and convolutions have modules for A and B, embeddings have plain parameters. An adapter's own name
# stands in the files that are no peft export: `lora_A.default.weight`.
_FACTOR = re.compile(
    r"(?P<path>.+)\.lora_(?:(?P<side>[AB])(?P<own>\.[^.]+)?\.weight|embedding_(?P<embedded>[AB])(?P<named>\.[^.]+)?)"
)
_MAGNITUDE = "lora_magnitude_vector"  # of DoRA, which divides by a norm of the base weight plus B A

# Fields of adapter_config.json with which A and B are no plain factors.
_VARIANTS = ("use_bdlora", "kasa_config", "monteclora_config", "arrow_config")
_OUTSIDE = "joined to the base network, which is not in the file"
_EXPERTS = "the experts' ranks stand on one axis, in another order in A than in B"


@dataclass(frozen=True)
class Pair:
    """The tensors of one adapted layer.

    Args:
        path: the layer's name in the file.
        adapter: the adapter's own name with a dot before it, or "".
        down: the name of A [r, in, taps], or "" where it is missing.
        up: the name of B [out, r, taps], or "".
    """

    path: str
    adapter: str
    down: str = ""
    up: str = ""


def lora_spec(checkpoint: Checkpoint) -> SymmetrySpec | None:
    """The spec of a LoRA adapter, None for any other checkpoint.

    Raises:
        CheckpointRefusedError: where the ranks of a pair disagree, naming the tensor.
    """
    shapes = {name: info.shape for name, info in checkpoint.tensors.items() if info.is_floating}
    pairs = _pairs(shapes)
    if not pairs or not _is_adapter(checkpoint.config, pairs, shapes):
        return None
    draft = Draft.of(shapes)
    strangers = _strangers(shapes)
    for pair in pairs:
        doubt = _doubt_of_half(pair, shapes) or _doubt_of_variant(pair, strangers, checkpoint.config)
        doubt = doubt or _doubt_of_ranks(pair, shapes, checkpoint)
        if doubt:
            draft.notes.append(f"{pair.path}: {doubt}")
            _add_frozen(draft, pair, doubt)
        else:
            _add_pair(draft, pair)
    draft.add_rest()
    return draft.finish("family")


def _pairs(shapes: Shapes) -> list[Pair]:
    """The pairs in the order of the file, halves without a partner too."""
    found: dict[tuple[str, str], Pair] = {}
    for name, shape in shapes.items():
        match = _FACTOR.fullmatch(name)
        if match and len(shape) >= 2:
            path, adapter = match["path"], match["own"] or match["named"] or ""
            pair = found.get((path, adapter), Pair(path, adapter))
            is_down = "A" in (match["side"], match["embedded"])
            found[path, adapter] = replace(pair, down=name) if is_down else replace(pair, up=name)
    return list(found.values())


def _is_adapter(config: Mapping[str, object], pairs: list[Pair], shapes: Shapes) -> bool:
    """Whether the names are peft's, and not a whole network's that happens to call something so."""
    if "peft_type" in config:
        return config["peft_type"] == "LORA"
    return all(pair.path.startswith("base_model.") for pair in pairs) or all(".lora_" in name for name in shapes)


def _doubt_of_half(pair: Pair, shapes: Shapes) -> str:
    if not pair.down or not pair.up:
        return f"the lora_{'B' if pair.down else 'A'} that belongs to {pair.down or pair.up} is not in the file"
    return "the rank is 0" if not shapes[pair.down][0] else ""


def _doubt_of_variant(pair: Pair, strangers: Mapping[str, str], config: Mapping[str, object]) -> str:
    """Why the network may see more of A and B than their product."""
    for field in _VARIANTS:
        if config.get(field):
            return f"{field} of adapter_config.json changes what A and B are"
    if _is_of_parameter(pair, config.get("target_parameters")):
        return _EXPERTS
    return f"{strangers[pair.path]} is no part of a LoRA that is known" if pair.path in strangers else ""


def _strangers(shapes: Shapes) -> dict[str, str]:
    """Path -> a tensor beside the pair of which it is not known what it does."""
    split = {name: name.rpartition(".lora_") for name in shapes}
    known = re.compile(r"(B(\.[^.]+)?\.bias|magnitude_vector.*)")
    return {
        path: name
        for name, (path, _, rest) in split.items()
        if path and not _FACTOR.fullmatch(name) and not known.fullmatch(rest)
    }


def _is_of_parameter(pair: Pair, targets: object) -> bool:
    """Whether a pair may adapt a stack of matrices, as `target_parameters` says: those have E r ranks on one axis."""
    path = re.sub(r"(\.base_layer)+$", "", pair.path)
    if path != pair.path or path.endswith(".experts"):
        return True
    if not targets:
        return False
    if not isinstance(targets, list):
        return True
    return any(f".{path}".endswith(f".{str(target).rpartition('.')[0]}") for target in targets)


def _doubt_of_ranks(pair: Pair, shapes: Shapes, checkpoint: Checkpoint) -> str:
    down, up = shapes[pair.down], shapes[pair.up]
    if down[0] != up[1]:
        if len(down) > 2 and up[1] and down[0] % up[1] == 0:
            return f"{pair.up} is a grouped convolution"
        message = f"{checkpoint.path}: tensor {pair.up} has shape {list(up)}, {pair.down} has rank {down[0]}"
        raise CheckpointRefusedError(message)
    stated, patterns = checkpoint.config.get("r"), checkpoint.config.get("rank_pattern")
    known = [stated, *patterns.values()] if isinstance(patterns, dict) else [stated]
    if "r" in checkpoint.config and down[0] not in [rank for rank in known if type(rank) is int]:
        return f"its rank is {down[0]}, adapter_config.json says {stated!r:.40}"
    return ""


def _bias_of(pair: Pair, shapes: Shapes) -> dict[str, str]:
    """B's bias by its role, if there is one that fits."""
    name = f"{pair.path}.lora_B{pair.adapter}.bias"
    return {"bias": name} if shapes.get(name) == shapes[pair.up][:1] else {}


def _magnitude_of(pair: Pair, shapes: Shapes) -> Iterator[str]:
    """The name of DoRA's magnitudes, if they are one for each output."""
    for ending in ("", ".weight"):
        name = f"{pair.path}.{_MAGNITUDE}{pair.adapter}{ending}"
        if shapes.get(name) == shapes[pair.up][:1]:
            yield name


def _add_pair(draft: Draft, pair: Pair) -> None:
    down, up = draft.shapes[pair.down], draft.shapes[pair.up]
    first, second = f"{pair.path}.lora_A{pair.adapter}", f"{pair.path}.lora_B{pair.adapter}"
    rank = draft.site(f"{first}.out", draft.atom(f"{first}.out", down[0], "hidden"), "low_rank")
    source = _fixed(draft, f"{first}.in", down[1], _OUTSIDE)
    target = _fixed(draft, f"{second}.out", up[0], _OUTSIDE)
    draft.dense(Module(first, {"weight": pair.down}, down, -1), source, rank)
    tensors = {"weight": pair.up} | _bias_of(pair, draft.shapes)
    draft.dense(Module(second, tensors, up, up[0]), rank, target)
    draft.vectors(_magnitude_of(pair, draft.shapes), target)


def _add_frozen(draft: Draft, pair: Pair, why: str) -> None:
    """The halves of a pair one by one, each between sites of its own."""
    for name in filter(None, (pair.down, pair.up)):
        shape = draft.shapes[name]
        source = _fixed(draft, f"{name}.in", shape[1], why)
        draft.dense(Module(name, {"weight": name}, shape, -1), source, _fixed(draft, f"{name}.out", shape[0], why))


def _fixed(draft: Draft, name: str, size: int, why: str) -> str:
    return draft.site(name, draft.atom(name, size, "hidden", why), fixed=True)
