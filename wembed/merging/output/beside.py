"""What lies beside the weights of a Hub folder in; the same beside a merge of them out.

A merge is of use to those who load it with its config and its tokenizer: the base's, else the first network's.
"""

import json
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from wembed.checkpoint import Checkpoint
from wembed.checkpoint.carriers import UNREAD_SUFFIXES, WEIGHT_SUFFIXES
from wembed.checkpoint.layouts import TRAINER_STEMS
from wembed.errors import WembedError
from wembed.merging.names import DtypeName

CONFIG = "config.json"
CARD = "README.md"

_PATTERNS = (
    CONFIG, "generation_config.json", "*processor_config.json", "tokenizer*", "special_tokens_map.json",
    "added_tokens.json", "vocab.*", "merges.txt", "bpe.codes", "normalizer.json", "*.tiktoken", "*.spm", "tekken.json",
    "spiece.model", "sentencepiece*.model", "chat_template*", "modules.json", "sentence_*_config.json",
    "config_sentence_transformers.json", "open_clip_config.json", "LICENSE*", "NOTICE*",
)  # fmt: skip
# The modules behind a network of sentence-transformers, each in a folder of its own, such as 1_Pooling.
_MODULES, _MODULE = "modules.json", "[0-9]_*"
# What nobody misses: the card has another in its place, and what a trainer keeps is not of a merge.
_NOT_MISSED = (
    ".*",
    "README*",
    "*.index.json",
    "*.msgpack",
    "trainer_state.json",
    *(f"{stem}*" for stem in TRAINER_STEMS),
)
_MOST_NAMED = 5
_TOKENIZERS = (
    "tokenizer*", "vocab.*", "spiece.model", "sentencepiece*.model", "*.tiktoken", "*.spm", "tekken.json",
)  # fmt: skip
_VOCABULARY = "vocab_size"
_PART = "_config"  # how the configs of a part end: text_config, vision_config
_DTYPE_FIELDS = ("torch_dtype", "dtype")  # what transformers calls it, before and since version 5


def folder_of(checkpoint: Checkpoint) -> Path | None:
    """The folder whose config speaks of a checkpoint, None where there is none."""
    if checkpoint.path.is_dir():
        return checkpoint.path
    return checkpoint.path.parent if checkpoint.config or len(checkpoint.files) > 1 else None


def copy_beside(checkpoint: Checkpoint, out: Path, dtype: DtypeName | None) -> list[str]:
    """Copy config, tokenizer and generation files to a folder.

    Args:
        checkpoint: beside which they lie.
        out: the folder.
        dtype: what the config is to say of the weights; None for what it says.

    Returns:
        What a person may miss, in words.

    Raises:
        WembedError: a file cannot be copied.
    """
    folder = folder_of(checkpoint)
    if folder is None:
        return [f"{checkpoint.path} lies in no folder with a {CONFIG}: no config and no tokenizer are written"]
    for file in _files(checkpoint, folder):
        name = file.relative_to(folder).as_posix()
        if _stays_inside(file, folder):
            _copy(file, out / name, dtype if name == CONFIG else None)
    return list(_missed(checkpoint, folder))


def _missed(checkpoint: Checkpoint, folder: Path) -> Iterator[str]:
    """What a person may miss, in words."""
    files = list(_files(checkpoint, folder))
    for file in files:
        name = file.relative_to(folder).as_posix()
        if not _stays_inside(file, folder):
            yield f"{name!r} links to a file outside of {folder}, which is not copied"
        elif file.parent != folder and _is_weights(file):
            yield f"{name!r} is copied from {folder} as it is: weights of a further module are not merged"
    if _VOCABULARY in checkpoint.config and not any(_is_one_of(file.name, _TOKENIZERS) for file in files):
        yield f"no tokenizer lies in {folder}: none is written"
    has_code = "auto_map" in checkpoint.config
    if has_code:
        yield f"the config names code of its own, which is not copied from {folder}"
    left = [repr(path.name) for path in _left(checkpoint, folder, files) if not (has_code and path.suffix == ".py")]
    if left:
        more = f" and {len(left) - _MOST_NAMED} more" if len(left) > _MOST_NAMED else ""
        yield f"not copied from {folder}: {', '.join(left[:_MOST_NAMED])}{more}"


def _files(checkpoint: Checkpoint, folder: Path) -> Iterator[Path]:
    """The files that are copied, however the weights are called."""
    children = sorted(folder.iterdir())
    has_modules = any(child.name == _MODULES for child in children)
    for child in children:
        if child.is_file() and child not in checkpoint.files and _is_one_of(child.name, _PATTERNS):
            yield child
        elif has_modules and child.is_dir() and fnmatch(child.name, _MODULE):
            yield from (file for file in sorted(child.iterdir()) if file.is_file() and file.suffix != ".py")


def _left(checkpoint: Checkpoint, folder: Path, copied: list[Path]) -> Iterator[Path]:
    """What lies beside weights and is neither copied nor another form of them."""
    taken = {file.relative_to(folder).parts[0] for file in [*copied, *checkpoint.files]}
    for path in sorted(folder.iterdir()):
        if path.name not in taken and not _is_one_of(path.name, _NOT_MISSED) and not _is_weights(path):
            yield path


def _is_weights(path: Path) -> bool:
    return path.suffix.lower() in (*WEIGHT_SUFFIXES, *UNREAD_SUFFIXES)


def _is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _stays_inside(file: Path, folder: Path) -> bool:
    """Whether no link leads out of a folder; in the Hugging Face cache they lead to the blobs beside the snapshots."""
    resolved = folder.resolve()
    blobs = [parent.parent / "blobs" for parent in resolved.parents if parent.name == "snapshots"]
    return any(file.resolve().is_relative_to(inside) for inside in [resolved, *blobs[:1]])


def _copy(file: Path, to: Path, dtype: DtypeName | None) -> None:
    try:
        to.parent.mkdir(exist_ok=True)
        if dtype:
            to.write_text(_with_dtype(file.read_text(encoding="utf-8"), dtype), encoding="utf-8")
        else:
            shutil.copyfile(file, to)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WembedError(f"{file}: cannot be copied to {to.parent}: {reason}") from error


def _with_dtype(text: str, dtype: DtypeName) -> str:
    """A config that says another dtype, where it or that of a part says one."""
    config: dict[str, Any] = json.loads(text)  # Any: whatever the file holds
    parts = [config]
    while parts:
        part = parts.pop()
        part |= {field: dtype for field in _DTYPE_FIELDS if field in part}
        parts += [value for key, value in part.items() if key.endswith(_PART) and isinstance(value, dict)]
    return json.dumps(config, indent=2) + "\n"
