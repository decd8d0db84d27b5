"""A path and the ids that are taken in; the path's id out: its stem, with a telling parent where that is taken."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".th")


def assign_id(path: Path, owners: Mapping[str, Path]) -> str:
    """Gives an id that no other path owns.

    Args:
        path: of the checkpoint, absolute.
        owners: the ids that are taken, each with its absolute path.
    """
    return next(name for name in _candidates(path, owners) if owners.get(name, path) == path)


def _candidates(path: Path, owners: Mapping[str, Path]) -> Iterator[str]:
    stem = path.stem if path.suffix.lower() in _SUFFIXES else path.name
    yield stem
    parents = [parent.name for parent in path.parents if parent.name]
    owner = [parent.name for parent in owners.get(stem, path).parents if parent.name]
    for depth, parent in enumerate(parents):
        if owner[depth : depth + 1] != [parent]:
            yield f"{parent}/{stem}"
    for depth in range(1, len(parents) + 1):
        yield "/".join([*reversed(parents[:depth]), stem])
    for number in itertools.count(2):  # the same path but for its suffix
        yield f"{stem}-{number}"
