"""The files of a repository in; what is wrong with them out, in one line that names the repository and the file."""

from collections.abc import Iterable, Sequence

from wembed.checkpoint.carriers import UNREAD_SUFFIXES
from wembed.checkpoint.layouts import CONFIG_NAMES, INDEX_SUFFIXES, MAX_JSON_BYTES
from wembed.errors import CheckpointRefusedError
from wembed.hub.names import check_clashes, check_path
from wembed.hub.repository import RemoteFile, Repository
from wembed.zoo.pull.folders import MAPPED, PICKLED, Kind, name_of, pickled_network, sort_files, suffix_of

MAX_CONFIG_BYTES = 10_000_000  # thousands of labels are a megabyte
_LEAST_MAPPED_BYTES = 10  # of safetensors: a length and an empty header
# Formats of weights beside those that are known of files on disk.
_UNREAD = UNREAD_SUFFIXES | {".msgpack": "flax", ".ot": "rust", ".tflite": "tflite", ".keras": "keras", ".nemo": "nemo"}


def check_files(repository: str, files: Sequence[RemoteFile]) -> None:
    """Checks the names and sizes of the files that were chosen of a repository.

    Raises:
        CheckpointRefusedError: if one is not safe to write, too small or too large to be what its name says.
    """
    try:
        for file in files:
            check_path(file.path)
        check_clashes(file.path for file in files)
    except CheckpointRefusedError as error:
        raise CheckpointRefusedError(f"{repository}: {error.message}", error.hint) from error
    for file in files:
        least, most = _bounds(file.path)
        if file.size < least:
            found = "an empty file" if not file.size else f"{file.size} bytes, fewer than a header"
            raise CheckpointRefusedError(f"{repository}/{file.path}: {found}, expected weights")
        if most is not None and file.size > most:
            raise CheckpointRefusedError(f"{repository}/{file.path}: {file.size} bytes, expected at most {most}")


def no_checkpoint(repository: Repository, kept: Iterable[RemoteFile], kinds: Sequence[Kind]) -> CheckpointRefusedError:
    """Gives the refusal of a repository in which no checkpoint was found.

    Args:
        repository: with all its files.
        kept: those that were not left out.
        kinds: of weights that would be taken.
    """
    if not repository.files:
        return CheckpointRefusedError(f"{repository.id}: an empty repository")
    folders = sort_files(kept)
    weights = [file.path for folder in sort_files(repository.files).values() for file in folder.weights]
    pickled = [file.path for folder in folders.values() for file in folder.weights if _is_pickled(file.path)]
    at_root = pickled_network(folders[""]) if "" in folders else None
    if pickled and PICKLED not in kinds and (at_root or all(map(_is_pickled, weights))):
        hint = "--allow-pickle takes them, to be read without running their code"
        first = at_root.path if at_root else pickled[0]
        return CheckpointRefusedError(f"{repository.id}: its weights are pickled, such as {first!r}", hint)
    if weights:
        hint = f"see --include and --exclude; it holds {weights[0]!r}"
        return CheckpointRefusedError(f"{repository.id}: none of its {len(weights)} weight files is asked for", hint)
    formats = sorted({_UNREAD[suffix] for suffix in map(_suffix, repository.files) if suffix in _UNREAD})
    if formats:
        hint = "only safetensors are taken; its base model may have them"
        return CheckpointRefusedError(f"{repository.id}: holds {', '.join(formats)} weights only", hint)
    return CheckpointRefusedError(f"{repository.id}: holds no weight file", "expected *.safetensors")


def _bounds(path: str) -> tuple[int, int | None]:
    """The least and the most bytes of a file; of weights any number."""
    name = name_of(path)
    if name.endswith(INDEX_SUFFIXES):
        return 0, MAX_JSON_BYTES
    if name in CONFIG_NAMES:
        return 0, MAX_CONFIG_BYTES
    if suffix_of(path) in MAPPED.suffixes:
        return _LEAST_MAPPED_BYTES, None
    return (1 if _is_pickled(path) else 0), None


def _is_pickled(path: str) -> bool:
    return suffix_of(path) in PICKLED.suffixes


def _suffix(file: RemoteFile) -> str:
    return suffix_of(file.path)
