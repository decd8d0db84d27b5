"""A module's tensor names against a file's: prefixes, names of other versions, tied heads."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from wembed.errors import CheckpointRefusedError, WembedError

Shapes = Mapping[str, tuple[int, ...]]

_WRAPPERS = ("module.", "_orig_mod.")
_LEGACY = ((re.compile(r"(^|\.)gamma$"), r"\1weight"), (re.compile(r"(^|\.)beta$"), r"\1bias"))


@dataclass(frozen=True)
class Matched:
    """Which tensor of a file is which of a module.

    Args:
        names: the module's name -> the file's.
        missing: the module's tensors that the file does not have.
        extra: the file's tensors that the module does not have.
    """

    names: Mapping[str, str]
    missing: tuple[str, ...]
    extra: tuple[str, ...]


def match_names(module: Shapes, file: Shapes, rename: Callable[[str], str]) -> Matched:
    """Matches by name, whatever prefix the body has on either side; shapes must then be equal.

    Args:
        module: name -> shape.
        file: name -> shape.
        rename: what turns a name in files into the module's, where it was another in older versions.

    Raises:
        CheckpointRefusedError: a tensor has another shape in the file.
        WembedError: most of the module's tensors are not in the file, so that it is another network's.
    """
    best: dict[str, str] = {}
    for renamed in ({name: name for name in file}, {name: _renamed(name, rename) for name in file}):
        for change in _changes(module, renamed.values()):
            found = _assigned(module, renamed, change)
            best = max(best, found, key=len)
    if 2 * len(best) < len(module) or not best:
        lost = next((name for name in module if name not in best), "nothing")
        raise WembedError(f"{len(best)} of the module's {len(module)} tensors are in the file, {lost} is not")
    for name, stored in best.items():
        if module[name] != file[stored]:
            shapes = f"{list(file[stored])}, expected {list(module[name])}"
            raise CheckpointRefusedError(f"tensor {stored} has shape {shapes}")
    taken = set(best.values())
    missing = tuple(name for name in module if name not in best)
    return Matched(best, missing, tuple(name for name in file if name not in taken))


def _renamed(name: str, rename: Callable[[str], str]) -> str:
    for wrapper in _WRAPPERS:
        name = name.removeprefix(wrapper)
    for pattern, replacement in _LEGACY:
        name = pattern.sub(replacement, name)
    return rename(name)


def _changes(module: Iterable[str], file: Iterable[str]) -> Iterator[Callable[[str], str]]:
    """What may have to be done to the file's names: nothing, a prefix more, a prefix less."""
    yield lambda name: name
    for prefix in _prefixes(module):
        yield lambda name, prefix=prefix: prefix + name  # type: ignore[misc]
    for prefix in _prefixes(file):
        yield lambda name, prefix=prefix: name.removeprefix(prefix)  # type: ignore[misc]


def _prefixes(names: Iterable[str]) -> list[str]:
    """The first one or two components of names."""
    found: dict[str, None] = {}
    for name in names:
        parts = name.split(".")
        found |= {".".join(parts[:depth]) + ".": None for depth in (1, 2) if len(parts) > depth}
    return list(found)


def _assigned(module: Shapes, renamed: Mapping[str, str], change: Callable[[str], str]) -> dict[str, str]:
    """The module's name -> the file's, where it is the same or becomes the same; heads stand beside the prefix."""
    found = {new: stored for stored, new in renamed.items() if new in module}
    for stored, new in renamed.items():
        changed = change(new)
        if new not in module and changed in module:
            found.setdefault(changed, stored)
    return found
