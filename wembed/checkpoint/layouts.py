"""A path in; the files that make up one checkpoint out, and all the checkpoints under a folder.

A checkpoint is one weight file, a folder with one weight file, or a folder with shards and an index. An index is
somebody else's text: no shard is opened before all of their paths are known to stay in the folder.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import cast

from wembed.checkpoint.carriers import PICKLE_SUFFIXES, UNREAD_SUFFIXES, WEIGHT_SUFFIXES
from wembed.errors import CheckpointRefusedError, NotFoundError

INDEX_SUFFIXES = (".safetensors.index.json", ".bin.index.json")
CONFIG_NAMES = ("config.json", "adapter_config.json")
MAX_JSON_BYTES = 100_000_000
# What the Hugging Face Trainer saves beside the weights.
TRAINER_STEMS = ("training_args", "optimizer", "scheduler", "rng_state", "scaler")


@dataclass(frozen=True)
class Layout:
    """The files of one checkpoint.

    Args:
        files: the data files, in order.
        owners: the file that holds each tensor, as an index says; {} without an index.
        config: the folder's config.json.
    """

    files: tuple[Path, ...]
    owners: dict[str, Path] = field(default_factory=dict)
    config: dict[str, object] = field(default_factory=dict)


def find_layout(path: Path) -> Layout:
    """Says which files make up the checkpoint at a path.

    Args:
        path: a weight file, an index file, or a folder that is one checkpoint.

    Raises:
        NotFoundError: if there is nothing at the path, or a folder holds no weights.
        CheckpointRefusedError: if the folder is ambiguous, its index broken, or a shard missing or outside of it.
    """
    if not path.exists():
        raise NotFoundError(f"{path}: no such file or folder")
    if path.is_dir():
        return _folder_layout(path)
    if not path.is_file():
        raise CheckpointRefusedError(f"{path}: neither a file nor a folder")
    if path.name.endswith(INDEX_SUFFIXES):
        return _index_layout(path)
    return Layout((path,), config=_config(path.parent) if _is_whole_of_folder(path) else {})


def find_checkpoints(path: Path) -> list[Path]:
    """Lists the checkpoints at or under a path, in sorted order.

    Folders that are one checkpoint (shards with an index, a config.json with one weight file) count as one. Weight
    files of a format that is not read are listed too, so that opening them says so; other files are skipped.

    Args:
        path: a file, which is listed whatever it is, or a folder.

    Raises:
        NotFoundError: if there is nothing at the path.
    """
    if not path.exists():
        raise NotFoundError(f"{path}: no such file or folder")
    return list(_walk(path, set())) if path.is_dir() else [path]


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    resolved = folder.resolve()
    if resolved in seen:  # a link back to a folder above
        return
    seen.add(resolved)
    if not os.access(folder, os.R_OK | os.X_OK):
        yield folder  # opening it says why not
        return
    if _is_one_checkpoint(folder):
        yield folder
        return
    for child in _children(folder):
        if child.is_dir():
            yield from _walk(child, seen)
        elif child.suffix.lower() in (*WEIGHT_SUFFIXES, *UNREAD_SUFFIXES):
            yield child


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    except OSError as error:
        raise CheckpointRefusedError(f"{folder}: cannot be listed: {(error.strerror or '').lower()}") from error


def _is_one_checkpoint(folder: Path) -> bool:
    if _index_files(folder):
        return True
    return _has_config(folder) and _sole_weight_file(folder) is not None


def _is_whole_of_folder(file: Path) -> bool:
    """Whether a folder's config.json speaks of this file."""
    if not _has_config(file.parent) or _has_another(file):
        return False
    return _sole_weight_file(file.parent) == file


def _has_another(file: Path) -> bool:
    """Whether its folder holds another file with its ending; looks no further than the first, as there may be many."""
    with os.scandir(file.parent) as entries:
        return any(
            entry.name.endswith(file.suffix)
            and entry.name != file.name
            and not entry.name.startswith((".", *TRAINER_STEMS))
            and entry.is_file()
            for entry in entries
        )


def _index_files(folder: Path) -> list[Path]:
    """The index files, those of safetensors shards alone where the folder holds any safetensors."""
    children = _children(folder)
    found = [child for child in children if child.name.endswith(INDEX_SUFFIXES)]
    mapped = [child for child in found if child.name.endswith(INDEX_SUFFIXES[0])]
    return mapped if any(child.suffix.lower() == ".safetensors" for child in children) else found


def _weight_files(folder: Path) -> list[Path]:
    """The weight files, those of safetensors alone where there are any."""
    files = [child for child in _children(folder) if child.is_file()]
    mapped = [file for file in files if file.suffix.lower() == ".safetensors"]
    pickled = [file for file in files if file.suffix.lower() in PICKLE_SUFFIXES]
    return mapped or [file for file in pickled if not file.stem.startswith(TRAINER_STEMS)]


def _sole_weight_file(folder: Path) -> Path | None:
    files = _weight_files(folder)
    return files[0] if len(files) == 1 and not _index_files(folder) else None


def _folder_layout(folder: Path) -> Layout:
    indexes = _index_files(folder)
    if len(indexes) == 1:
        return _index_layout(indexes[0])
    files = indexes or _weight_files(folder)
    if not files:
        raise NotFoundError(f"{folder}: holds no weight file", hint=f"weight files end in {', '.join(WEIGHT_SUFFIXES)}")
    if len(files) > 1:
        kind = "index files" if indexes else "weight files and no index"
        raise CheckpointRefusedError(f"{folder}: holds {len(files)} {kind}, expected one", hint=f"name one: {files[0]}")
    return Layout((files[0],), config=_config(folder))


def _index_layout(index: Path) -> Layout:
    weight_map = read_weight_map(_read_bytes(index), str(index))
    folder = index.parent
    shards = {shard: _shard_path(folder, shard, index) for shard in sorted(set(weight_map.values()))}
    for shard, path in shards.items():
        if not path.is_file():
            raise CheckpointRefusedError(f"{index}: shard {shard!r} is missing from the folder")
    owners = {name: shards[shard] for name, shard in weight_map.items()}
    return Layout(tuple(shards.values()), owners, _config(folder))


def read_weight_map(text: bytes, where: str) -> dict[str, str]:
    """Gives the shard of every tensor, as an index says; each is a plain path below the index's folder.

    Args:
        text: of the index.
        where: it comes from, for messages.

    Raises:
        CheckpointRefusedError: if it is no index, or names a shard that may lie elsewhere.
    """
    weight_map = _parse_object(text, where).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointRefusedError(f"{where}: corrupt: no weight_map from tensors to files")
    for name, shard in weight_map.items():
        if not isinstance(shard, str):
            raise CheckpointRefusedError(f"{where}: corrupt: weight_map gives no file for tensor {name!r}")
    for shard in sorted(set(weight_map.values())):
        if not _is_plain(shard):
            raise CheckpointRefusedError(f"{where}: unsafe: shard {shard!r} is not a plain path inside the folder")
    return weight_map


def _is_plain(shard: str) -> bool:
    parts = PurePosixPath(shard).parts
    leaves = not parts or PurePosixPath(shard).is_absolute() or ".." in parts
    return not (leaves or "\\" in shard or "\0" in shard or PureWindowsPath(shard).drive)


def _shard_path(folder: Path, shard: str, index: Path) -> Path:
    """The path of a shard, once it is sure that no link leads out of the index's folder."""
    path = folder / shard
    try:
        target, inside = path.resolve(), _allowed_folders(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name too long, one that is no text
        raise CheckpointRefusedError(f"{index}: unsafe: shard {shard!r} cannot be resolved") from error
    if not any(target.is_relative_to(parent) for parent in inside):
        raise CheckpointRefusedError(f"{index}: unsafe: shard {shard!r} links to a file outside of the folder")
    return path


def _allowed_folders(folder: Path) -> list[Path]:
    """The folder itself and, in the Hugging Face cache (snapshots/<revision>/), the blobs that its links lead to."""
    caches = [parent.parent for parent in folder.parents if parent.name == "snapshots"]
    return [folder, *(cache / "blobs" for cache in caches[:1])]


def _has_config(folder: Path) -> bool:
    return any((folder / name).is_file() for name in CONFIG_NAMES)


def _config(folder: Path) -> dict[str, object]:
    for name in CONFIG_NAMES:
        if (folder / name).is_file():
            return _read_object(folder / name)
    return {}


def _read_object(path: Path) -> dict[str, object]:
    return _parse_object(_read_bytes(path), str(path))


def _read_bytes(path: Path) -> bytes:
    found = path.stat().st_size
    if found > MAX_JSON_BYTES:
        raise CheckpointRefusedError(f"{path}: corrupt: {found} bytes of JSON, expected at most {MAX_JSON_BYTES}")
    return path.read_bytes()


def _parse_object(text: bytes, where: str) -> dict[str, object]:
    try:
        parsed = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointRefusedError(f"{where}: corrupt: not JSON") from error
    if not isinstance(parsed, dict):
        raise CheckpointRefusedError(f"{where}: corrupt: a JSON {type(parsed).__name__}, expected an object")
    return cast("dict[str, object]", parsed)
