"""A manifest's name or path in; its contents, checked against a pydantic model, out.

A manifest says what a zoo is made of: `wembed zoo build` trains it, or `wembed zoo pull` fetches it. Some are packaged:
data files beside the package that go by their name.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError

from wembed.catalog.document import Document, read_document
from wembed.catalog.refusal import as_usage_error
from wembed.errors import NotFoundError, UsageError

_PACKAGE = Path(__file__).parent.parent
_FOLDER = "zoo_manifests"
_SUFFIXES = (".yaml", ".yml", ".toml")

Command = Literal["build", "pull"]
# The keys that only one of the two kinds has.
_KEYS: dict[Command, frozenset[str]] = {
    "build": frozenset({"groups", "training"}),
    "pull": frozenset({"repositories", "queries"}),
}

Kind = TypeVar("Kind", bound=BaseModel)


def packaged_manifests(command: Command | None = None) -> dict[str, Path]:
    """Gives the manifests that come with wembed, by name.

    Args:
        command: that they are for; None for all of them.
    """
    inside = _PACKAGE / _FOLDER  # of an installed wheel
    folder = inside if inside.is_dir() else _PACKAGE.parent / _FOLDER
    paths = sorted(folder.glob(f"*{_SUFFIXES[0]}"))
    return {path.stem: path for path in paths if command in (None, manifest_command(read_document(path)))}


def manifest_command(document: Document) -> Command | None:
    """Gives the command that a manifest is for; None where it holds nothing that tells."""
    return _command_by(document.contents) if isinstance(document.contents, dict) else None


def find_manifest(argument: str, command: Command | None = None) -> Path:
    """Gives the file of a manifest.

    Args:
        argument: a path, or the name of a packaged one; a path that exists comes first.
        command: whose packaged ones are suggested where there is none; None for all.

    Raises:
        NotFoundError: if there is none.
    """
    packaged = packaged_manifests()
    path = Path(argument)
    if path.is_file():
        return path
    if argument in packaged:
        return packaged[argument]
    hint = f"give a file, or one of {', '.join(packaged_manifests(command))}"
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
    command = _command_by(kind.model_fields)
    document = read_document(find_manifest(argument, command))
    if not isinstance(document.contents, dict):
        keys = ", ".join(kind.model_json_schema()["required"])
        raise UsageError(f"{document.path}: expected keys and values, such as {keys}")
    other = manifest_command(document)
    if other and command and other != command:
        raise UsageError(
            f"{document.path}: is a manifest of `wembed zoo {other}`", f"run `wembed zoo {other} {argument}`"
        )
    try:
        return kind.model_validate(document.contents, context={"folder": document.path.parent, "document": document})
    except ValidationError as error:
        raise as_usage_error(document, "a manifest", kind, error) from error


def _command_by(keys: Collection[str]) -> Command | None:
    """The command whose keys are there, the other's not."""
    found = [command for command, telling in _KEYS.items() if not telling.isdisjoint(keys)]
    return found[0] if len(found) == 1 else None
