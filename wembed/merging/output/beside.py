"""What lies beside the weights of a Hub folder in; the same beside a merge of them out.

A merge is of use to those who load it with its config and its tokenizer: the base's, else the first network's.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from wembed.checkpoint import Checkpoint
from wembed.errors import WembedError
from wembed.merging.recipe.document import DtypeName

CONFIG = "config.json"
CARD = "README.md"

_PATTERNS = (
    CONFIG, "adapter_config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json",
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.tiktoken",
    "spiece.model", "sentencepiece*.model", "chat_template*", "LICENSE*", "NOTICE*",
)  # fmt: skip
_TOKENIZERS = ("tokenizer*", "vocab.*", "spiece.model", "sentencepiece*.model", "*.tiktoken")
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
    notes = []
    for file in _files(folder):
        if not _stays_inside(file, folder):
            notes.append(f"{file.name!r} links to a file outside of {folder}, which is not copied")
        else:
            _copy(file, out / file.name, dtype)
    if _VOCABULARY in checkpoint.config and not any(_is_one_of(file.name, _TOKENIZERS) for file in _files(folder)):
        notes.append(f"no tokenizer lies in {folder}: none is written")
    if "auto_map" in checkpoint.config:
        notes.append(f"the config names code of its own, which is not copied from {folder}")
    return notes


_VOCABULARY = "vocab_size"


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.iterdir()) if file.is_file() and _is_one_of(file.name, _PATTERNS))


def _is_one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _stays_inside(file: Path, folder: Path) -> bool:
    """Whether no link leads out of a folder; in the Hugging Face cache they lead to the blobs beside the snapshots."""
    resolved = folder.resolve()
    blobs = [parent.parent / "blobs" for parent in resolved.parents if parent.name == "snapshots"]
    return any(file.resolve().is_relative_to(inside) for inside in [resolved, *blobs[:1]])


def _copy(file: Path, to: Path, dtype: DtypeName | None) -> None:
    try:
        if file.name == CONFIG and dtype:
            to.write_text(_with_dtype(file.read_text(encoding="utf-8"), dtype), encoding="utf-8")
        else:
            shutil.copyfile(file, to)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WembedError(f"{file}: cannot be copied to {to.parent}: {reason}") from error


def _with_dtype(text: str, dtype: DtypeName) -> str:
    """A config that says another dtype, where it says one."""
    config: Mapping[str, Any] = json.loads(text)  # Any: whatever the file holds
    changed = {field: dtype for field in _DTYPE_FIELDS if field in config}
    return json.dumps({**config, **changed}, indent=2) + "\n"
