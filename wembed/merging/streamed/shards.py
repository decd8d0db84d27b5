"""What is to be written in; the files that it goes to and their index, named as on the Hugging Face Hub, out."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wembed.checkpoint import Checkpoint, TensorInfo
from wembed.checkpoint.layouts import find_layout

_STEM = "model"  # of weight files on the Hub
_STEMS_OF_PICKLES = ("diffusion_pytorch_model",)  # that stay where safetensors take their place
_SUFFIX = ".safetensors"
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}", re.ASCII)


@dataclass(frozen=True)
class Form:
    """How a merged network is stored.

    Args:
        dtype: of its floating-point tensors, a safetensors dtype name; None for those that each has.
        max_shard_bytes: of the files of a folder; None for shards like those of the network that it is written like.
        metadata: text beside the weights.
    """

    dtype: str | None = None
    max_shard_bytes: int | None = None
    metadata: Mapping[str, str] | None = None


def written_tensors(like: Checkpoint, dtype: str | None) -> dict[str, TensorInfo]:
    """What is written of a network like another, by the names that its file has."""
    infos = {}
    for name, info in like.tensors.items():
        new = dtype if dtype and info.is_floating else info.dtype
        infos[like.prefix + name] = TensorInfo(name, new, info.shape)
    return infos


def whole_of(like: Checkpoint) -> str:
    """The file of a folder that holds all tensors, by the name under which libraries look for such a network."""
    return _stem_of(like) + _SUFFIX


def shards_of(like: Checkpoint, form: Form) -> dict[str, dict[str, TensorInfo]]:
    """The files of a folder, in order: for each what it holds.

    Args:
        like: whose tensors these are, and whose shards where the form does not say how large they are.
        form: says the dtype and the largest size; a tensor that is larger has a file of its own.
    """
    tensors = written_tensors(like, form.dtype)
    groups = _like_those_of(like, tensors) if form.max_shard_bytes is None else _packed(tensors, form.max_shard_bytes)
    if len(groups) == 1:
        return {whole_of(like): groups[0]}
    front, count = _stem_of(like), len(groups)
    return {f"{front}-{number:05d}-of-{count:05d}{_SUFFIX}": group for number, group in enumerate(groups, 1)}


def write_index(folder: Path, shards: Mapping[str, Mapping[str, TensorInfo]]) -> None:
    """Writes the index of shards into their folder."""
    weight_map = {name: file for file, tensors in shards.items() for name in tensors}
    size = sum(info.bytes for tensors in shards.values() for info in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(weight_map.items()))}
    found = _SHARD.match(next(iter(shards)))
    name = f"{found[1] if found else _STEM}{_SUFFIX}.index.json"
    (folder / name).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _stem_of(like: Checkpoint) -> str:
    """What the weight files of a folder are called; a file that no config speaks of has a name of its own."""
    if not like.config or not like.files:
        return _STEM
    file = like.files[0]
    found = _SHARD.fullmatch(file.stem)
    stem = found[1] if found else file.stem if len(like.files) == 1 else _STEM
    return stem if file.suffix == _SUFFIX or stem in _STEMS_OF_PICKLES else _STEM


def _packed(tensors: Mapping[str, TensorInfo], most: int) -> list[dict[str, TensorInfo]]:
    """Tensors in order, as many in a file as fit."""
    groups: list[dict[str, TensorInfo]] = [{}]
    room = most
    for name, info in tensors.items():
        if info.bytes > room and groups[-1]:
            groups.append({})
            room = most
        groups[-1][name] = info
        room -= info.bytes
    return groups


def _like_those_of(like: Checkpoint, tensors: Mapping[str, TensorInfo]) -> list[dict[str, TensorInfo]]:
    owners = find_layout(like.path).owners if len(like.files) > 1 else {}
    groups: dict[Path | None, dict[str, TensorInfo]] = {}
    for name, info in tensors.items():
        groups.setdefault(owners.get(name), {})[name] = info
    return list(groups.values())
