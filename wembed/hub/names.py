"""Names that other people wrote in; only those out that are safe to ask the Hub for and to write on any disk.

A path of a repository is checked before a file is made of it: the rules are those of Linux, macOS and Windows together,
so that a zoo can be copied from one to the other.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from unicodedata import normalize

from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id

from wembed.errors import CheckpointRefusedError, UsageError

MAX_PART_BYTES = 255  # of a file name, on every common file system
MAX_PATH_BYTES = 1024  # of a path, on macOS
_MAX_REVISION = 255  # characters
_MOST_SHOWN = 120  # characters of somebody else's text
_SCHEME = "hf://"
_EXAMPLE = "expected organisation/name or organisation/name@revision, such as google-bert/bert-base-uncased"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FORBIDDEN = '<>:"|?*\\'  # by Windows
_FORBIDDEN_IN_REVISION = " ~^:?*[\\"  # by git
# Devices of Windows, whatever follows the first dot.
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])", re.IGNORECASE)


@dataclass(frozen=True)
class RepositoryName:
    """A repository that a person asks for.

    Args:
        id: organisation/name.
        revision: a branch, a tag or a commit; None for the main branch.
    """

    id: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "RepositoryName":
        """Reads organisation/name[@revision], with hf:// before it or not.

        Raises:
            UsageError: if it is something else.
        """
        name, at, revision = text.removeprefix(_SCHEME).partition("@")
        if name.count("/") != 1 or not _is_repository(name):
            raise UsageError(f"{_shown(text)} is not the name of a repository", _EXAMPLE)
        if at and not is_revision(revision):
            hint = "expected a branch, a tag or a commit behind the @, such as @main"
            raise UsageError(f"{_shown(text)}: {_shown(revision)} is not the name of a revision", hint)
        return cls(name, revision or None)

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.id}@{self.revision}" if self.revision else self.id


def is_commit(text: str) -> bool:
    """Whether a revision is the full sha of a commit, which never moves."""
    return _COMMIT.fullmatch(text) is not None


def is_revision(text: str) -> bool:
    """Whether a text can be the name of a branch, a tag or a commit."""
    plain = text.isprintable() and not any(letter in text for letter in _FORBIDDEN_IN_REVISION)
    return bool(text) and plain and len(text) <= _MAX_REVISION and ".." not in text and text[0] not in "-/."


def check_path(path: str) -> None:
    """Checks that a path of a repository names a file inside its folder, on every system.

    Raises:
        CheckpointRefusedError: if it doesn't, or a system forbids the name, or it would be hidden.
    """
    reason = _flaw(path)
    if reason:
        raise CheckpointRefusedError(f"unsafe file name {_shown(path)}: {reason}")


def check_clashes(paths: Iterable[str]) -> None:
    """Checks that paths can all be written into one folder, on every system.

    Raises:
        CheckpointRefusedError: if two of them, or two of their folders, differ only by case or by Unicode's form, or
            if one is another's folder.
    """
    seen: dict[str, str] = {}
    files: set[str] = set()
    for path in paths:
        for name in _with_folders(path):
            spelt = seen.setdefault(_folded(name), name)
            if spelt != name:
                same = "the same where case does not count"
                raise CheckpointRefusedError(f"unsafe file names {_shown(spelt)} and {_shown(name)}: {same}")
        if path in files:
            raise CheckpointRefusedError(f"unsafe file name {_shown(path)}: listed twice")
        files.add(path)
    folders = (name for path in files for name in _with_folders(path) if name != path)
    for name in folders:
        if name in files:
            raise CheckpointRefusedError(f"unsafe file name {_shown(name)}: both a file and a folder")


def _is_repository(name: str) -> bool:
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    # Its folder is named organisation--name.
    return name.isascii() and not _is_reserved(name.replace("/", "--"))


def _flaw(path: str) -> str | None:
    """Why a path can't be written, or None."""
    if not path:
        return "empty"
    if not path.isprintable():
        return "holds characters that do not show"
    if path.startswith("/"):
        return "absolute"
    found = next((letter for letter in _FORBIDDEN if letter in path), None)
    if found:
        return f"holds {found}"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"{len(path.encode())} bytes long, expected at most {MAX_PATH_BYTES}"
    return next(filter(None, map(_flaw_of_part, path.split("/"))), None)


def _flaw_of_part(part: str) -> str | None:
    if part == "..":
        return "leads out of its folder"
    if not part:
        return "has an empty part"
    if part.startswith("."):
        return "a part begins with a dot"
    if part[-1] in ". ":
        return f"a part ends with a {'dot' if part[-1] == '.' else 'space'}"
    if len(part.encode()) > MAX_PART_BYTES:
        return f"a part is {len(part.encode())} bytes long, expected at most {MAX_PART_BYTES}"
    return f"{part.split('.')[0]} is a device on Windows" if _is_reserved(part) else None


def _is_reserved(part: str) -> bool:
    return _RESERVED.fullmatch(part.split(".")[0].rstrip(" ")) is not None


def _with_folders(path: str) -> Iterator[str]:
    """A path's folders from the outermost inwards, then itself."""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)
    yield path


def _folded(text: str) -> str:
    """What is the same for all spellings that a disk may take for one (Unicode's canonical caseless match)."""
    return text.lower() if text.isascii() else normalize("NFD", normalize("NFD", text).casefold())


def _shown(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."
