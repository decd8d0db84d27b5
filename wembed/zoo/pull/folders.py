"""The files of a repository in; its folders out, and in each of them the files that its checkpoints begin with.

A checkpoint begins with its index, else with its only weight file. In a folder an index comes first, then a file of a
well-known name; where there is neither, every weight file is a checkpoint.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from wembed.checkpoint.carriers import PICKLE_SUFFIXES, WEIGHT_SUFFIXES
from wembed.checkpoint.layouts import CONFIG_NAMES, INDEX_SUFFIXES, TRAINER_STEMS
from wembed.hub.names import MAX_PATH_BYTES
from wembed.hub.repository import RemoteFile

MAX_BESIDE_BYTES = 256_000  # of a small JSON file
MOST_BESIDE = 16  # of these
# What libraries save a whole network as, best first; variants, such as model.fp16, have other stems.
STEMS = (
    "model", "pytorch_model", "adapter_model", "diffusion_pytorch_model", "open_clip_model", "open_clip_pytorch_model",
    "consolidated",
)  # fmt: skip
_TOKENIZERS = ("tokenizer", "vocab", "merges", "added_tokens", "special_tokens")  # large, and of no use here
_SHARD = re.compile(r"(.+)-\d+-of-0*(?:[2-9]|[1-9]\d+)")  # of two or more
_HIDDEN = re.compile(r"(?:^|/)\.[^./]")

Matches = Callable[[RemoteFile], bool]


@dataclass(frozen=True)
class Kind:
    """A format of weights.

    Args:
        suffixes: of its files.
        index: how the name of an index ends.
        shard: suffix of the files that libraries split a network into.
    """

    suffixes: tuple[str, ...]
    index: str
    shard: str


MAPPED = Kind((".safetensors",), INDEX_SUFFIXES[0], ".safetensors")
PICKLED = Kind(PICKLE_SUFFIXES, INDEX_SUFFIXES[1], ".bin")


@dataclass
class Folder:
    """The files of a folder that may be pulled.

    Args:
        path: of the folder, "" for the repository's own.
        weights: its weight files, without what training leaves behind.
        indexes: its index files.
        others: its other JSON files.
    """

    path: str
    weights: list[RemoteFile] = field(default_factory=list)
    indexes: list[RemoteFile] = field(default_factory=list)
    others: list[RemoteFile] = field(default_factory=list)


def sort_files(files: Iterable[RemoteFile]) -> dict[str, Folder]:
    """Gives the folders, by path; what is hidden, or has a path that is too long for a disk, is passed over."""
    folders: dict[str, Folder] = {}
    for file in files:
        if len(file.path) > MAX_PATH_BYTES or _HIDDEN.search(file.path):
            continue
        name, suffix, path = name_of(file.path), suffix_of(file.path), folder_of(file.path)
        folder = folders.setdefault(path, Folder(path))
        if name.endswith(INDEX_SUFFIXES):
            folder.indexes.append(file)
        elif suffix in WEIGHT_SUFFIXES and not name.startswith(TRAINER_STEMS):
            folder.weights.append(file)
        elif suffix == ".json":
            folder.others.append(file)
    return folders


def beginnings(folder: Folder, kinds: Sequence[Kind]) -> list[RemoteFile]:
    """Gives the file that each checkpoint of a folder begins with, all of one kind.

    Args:
        folder: which one.
        kinds: that are taken, best first.
    """
    found = (_best(_ending(folder.indexes, (kind.index,)), _ending(folder.weights, kind.suffixes)) for kind in kinds)
    return next(filter(None, found), [])


def matching_beginnings(folder: Folder, kinds: Sequence[Kind], matches: Matches) -> list[RemoteFile]:
    """Gives the same of those checkpoints alone that a person asks for, well-known name or not.

    Args:
        folder: which one.
        kinds: that are taken.
        matches: whether a file is asked for; a shard brings its index along.
    """
    suffixes = tuple(suffix for kind in kinds for suffix in kind.suffixes)
    weights = [file for file in _ending(folder.weights, suffixes) if matches(file)]
    known, shards = _ending(folder.indexes, tuple(kind.index for kind in kinds)), shards_by_name(folder)
    indexes = [index for index in known if matches(index) or any(map(matches, shards[index.path]))]
    owned = {shard.path for index in indexes for shard in shards[index.path]}
    return [*indexes, *(file for file in weights if file.path not in owned)]


def shards_by_name(folder: Folder) -> dict[str, list[RemoteFile]]:
    """Gives, for the path of every index, the files that are called as its shards: model-00001-of-00002 and so on."""
    if not folder.indexes:  # of tens of thousands of folders, most
        return {}
    shards: dict[tuple[str | None, str], list[RemoteFile]] = {}
    for file in folder.weights:
        shards.setdefault((_whole_stem(file), suffix_of(file.path)), []).append(file)
    paths = [index.path for index in folder.indexes]
    return {path: shards.get((stem_of(path), kind_of(path).shard), []) for path in paths}


def is_shard(file: RemoteFile) -> bool:
    """Whether a file is called as one of several shards is."""
    return _whole_stem(file) is not None


def pickled_network(folder: Folder) -> RemoteFile | None:
    """Gives the pickled file that a library saved a whole network as, of a folder without safetensors."""
    if _ending(folder.weights, MAPPED.suffixes):
        return None
    return next((file for file in folder.weights if stem_of(file.path) in STEMS or is_shard(file)), None)


def files_beside(folder: Folder) -> tuple[RemoteFile, ...]:
    """Gives the small JSON files of a folder that say what its weights are, the configs first."""
    if not folder.others:
        return ()
    configs = [file for name in CONFIG_NAMES for file in folder.others if name_of(file.path) == name]
    small = [file for file in folder.others if file.size <= MAX_BESIDE_BYTES and file not in configs]
    telling = [file for file in small if not name_of(file.path).startswith(_TOKENIZERS)]
    return (*configs, *telling[:MOST_BESIDE])


def kind_of(index: str) -> Kind:
    """Gives the kind of an index, by its path."""
    return MAPPED if index.endswith(MAPPED.index) else PICKLED


def folder_of(path: str) -> str:
    """Gives the folder of a file, "" for the repository's own."""
    head, slash, _ = path.rpartition("/")
    return head or slash


def name_of(path: str) -> str:
    """Gives the last part of a path."""
    return path.rpartition("/")[2]


def suffix_of(path: str) -> str:
    """Gives the suffix of a file's name, small, with its dot."""
    stem, dot, suffix = name_of(path).rpartition(".")
    return f"{dot}{suffix}".lower() if stem else ""


def stem_of(path: str) -> str:
    """Gives a file's name without its suffix, an index's without all of it."""
    name = name_of(path)
    if name.endswith(INDEX_SUFFIXES):
        return name.removesuffix(INDEX_SUFFIXES[0]).removesuffix(INDEX_SUFFIXES[1])
    return name.rpartition(".")[0] or name


def _best(indexes: Sequence[RemoteFile], weights: Sequence[RemoteFile]) -> list[RemoteFile]:
    for stem in STEMS:
        for files in (indexes, weights):
            named = [file for file in files if stem_of(file.path) == stem]
            if named:
                return named
    return list(indexes or weights)


def _ending(files: Iterable[RemoteFile], endings: tuple[str, ...]) -> list[RemoteFile]:
    return [file for file in files if file.path.lower().endswith(endings)]


def _whole_stem(file: RemoteFile) -> str | None:
    """The stem of the network that a shard is a part of."""
    found = _SHARD.fullmatch(stem_of(file.path))
    return found[1] if found else None
