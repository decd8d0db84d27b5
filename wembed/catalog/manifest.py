"""A manifest's name or path in; its contents, checked against a pydantic model, out.

A manifest says what a zoo is made of. Some are packaged: data files beside the package that go by their name.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from wembed.errors import NotFoundError, UsageError

_PACKAGE = Path(__file__).parent.parent
_FOLDER = "zoo_manifests"
_SUFFIXES = (".yaml", ".yml")
_UNKNOWN_KEY = "extra_forbidden"  # as pydantic calls it

Kind = TypeVar("Kind", bound=BaseModel)


def packaged_manifests() -> dict[str, Path]:
    """Gives the manifests that come with wembed, by name."""
    inside = _PACKAGE / _FOLDER  # of an installed wheel
    folder = inside if inside.is_dir() else _PACKAGE.parent / _FOLDER
    return {path.stem: path for path in sorted(folder.glob(f"*{_SUFFIXES[0]}"))}


def find_manifest(argument: str) -> Path:
    """Gives the file of a manifest.

    Args:
        argument: a path, or the name of a packaged one; a path that exists comes first.

    Raises:
        NotFoundError: if there is none.
    """
    packaged = packaged_manifests()
    path = Path(argument)
    if path.is_file():
        return path
    if argument in packaged:
        return packaged[argument]
    hint = f"give a file, or one of {', '.join(packaged)}"
    is_path = path.suffix in _SUFFIXES or len(path.parts) > 1
    raise NotFoundError(f"no manifest {'at ' if is_path else ''}{argument}", hint)


def load_manifest(argument: str, kind: type[Kind]) -> Kind:
    """Reads a manifest.

    Args:
        argument: see `find_manifest`.
        kind: what it must be.

    Raises:
        NotFoundError: if there is none.
        UsageError: if it isn't of that kind, naming where it is wrong.
    """
    path = find_manifest(argument)
    try:
        contents = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path} is no YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(contents, dict):
        raise UsageError(f"{path}: expected keys and values, such as {', '.join(kind.model_fields)}")
    try:
        return kind.model_validate(contents)
    except ValidationError as error:
        raise _as_usage_error(path, kind, error) from error


def _as_usage_error(path: Path, kind: type[BaseModel], error: ValidationError) -> UsageError:
    """The first thing that is wrong, in one line; a misspelt key before the one that is missing because of it."""
    first = min(error.errors(), key=lambda entry: entry["type"] != _UNKNOWN_KEY)
    where = ".".join(map(str, first["loc"]))
    if first["type"] == _UNKNOWN_KEY:
        known = _fields_at(kind, first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
        return UsageError(f"{path}: {where} is no key of a manifest", hint)
    if first["type"] == "missing":
        return UsageError(f"{path}: {where} is missing")
    reason = first["msg"].removeprefix("Value error, ")
    found = "" if isinstance(first["input"], dict | list) else f", found {first['input']!r}"
    return UsageError(f"{path}: {where + ': ' if where else ''}{reason[:1].lower()}{reason[1:]}{found}")


def _fields_at(kind: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """The keys known at a place in a manifest."""
    here: Any = kind  # Any: a type annotation, of a model or of a container of one
    for step in place:
        here = here.model_fields[step].annotation if isinstance(step, str) else get_args(here)[0]
    return list(here.model_fields)
