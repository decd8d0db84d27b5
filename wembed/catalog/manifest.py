"""A manifest's name or path in; its contents, checked against a pydantic model, out.

A manifest says what a zoo is made of. Some are packaged: data files beside the package that go by their name.
"""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from wembed.catalog.document import read_document
from wembed.catalog.refusal import as_usage_error
from wembed.errors import NotFoundError, UsageError

_PACKAGE = Path(__file__).parent.parent
_FOLDER = "zoo_manifests"
_SUFFIXES = (".yaml", ".yml", ".toml")

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
    """Reads a manifest; its model is told its `document`, and the `folder` that it lies in, by pydantic's context.

    Args:
        argument: see `find_manifest`.
        kind: what it must be.

    Raises:
        NotFoundError: if there is none.
        UsageError: if it isn't of that kind, naming where it is wrong.
    """
    document = read_document(find_manifest(argument))
    if not isinstance(document.contents, dict):
        keys = ", ".join(kind.model_json_schema()["required"])
        raise UsageError(f"{document.path}: expected keys and values, such as {keys}")
    try:
        return kind.model_validate(document.contents, context={"folder": document.path.parent, "document": document})
    except ValidationError as error:
        raise as_usage_error(document, kind, error) from error
