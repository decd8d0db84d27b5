"""A text in; windows of characters with the next or the masked ones as labels out.

The text is cut into blocks which are dealt to the three parts, so that no window has a character of another part's, and
every part has something of everything that the text is about.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wembed.errors import CheckpointRefusedError, NotFoundError
from wembed.models.data.dataset import IGNORED, Dataset
from wembed.models.data.split import split_rows

VOCABULARY = "\n" + "".join(chr(code) for code in range(ord(" "), ord("~") + 1))
OTHER = len(VOCABULARY)
MASK = OTHER + 1
SIZE = MASK + 1

_LENGTH = 32  # of a window
_MASKED = 5  # of its characters: 15 %, as in BERT
_BLOCKS = 48
_MOST_WINDOWS = {"train": 4000, "validation": 500, "test": 1000}  # so that a network is scored in moments
_FEWEST_CHARACTERS = 10_000
_MOST_BYTES = 2**26
_MASK_SEED = 0
_LICENCES = Path("/usr/share/common-licenses")


def next_characters(name: str, text: str) -> Dataset:
    """Gives windows whose labels are the characters one further.

    Raises:
        CheckpointRefusedError: the text is too short.
    """
    return _dataset(name, text, _next)


def masked_characters(name: str, text: str) -> Dataset:
    """Gives windows with 5 of 32 characters masked; labels are these, and IGNORED elsewhere.

    Raises:
        CheckpointRefusedError: the text is too short.
    """
    return _dataset(name, text, _masked)


def documentation() -> str:
    """The topics of Python's own help, in the order of their names; each version of Python has its own.

    Raises:
        NotFoundError: this Python came without them.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise NotFoundError("this Python has no pydoc_data.topics", "give a text: --data NAME=FILE.txt") from error
    return "\n\n".join(topics[name] for name in sorted(topics))


def licences(folder: Path = _LICENCES) -> str:
    """The licences that Debian has in one place, in the order of their names.

    Raises:
        NotFoundError: there is no such place.
    """
    if not folder.is_dir():
        raise NotFoundError(f"{folder}: not there, only Debian and its kin have it", "use documentation")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    return "\n\n".join(read_text(path) for path in paths)


def read_texts(folder: Path) -> str:
    """The .txt files of a folder, in the order of their names."""
    return "\n\n".join(read_text(path) for path in sorted(folder.glob("*.txt")))


def read_text(path: Path) -> str:
    """A text in UTF-8; what is none becomes characters outside the vocabulary.

    Raises:
        CheckpointRefusedError: it's longer than 64 MiB.
    """
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise CheckpointRefusedError(f"{path}: {size:,} bytes, at most {_MOST_BYTES:,} are read")
    return path.read_text(encoding="utf-8", errors="replace")


def _dataset(name: str, text: str, ask: Callable[[NDArray[np.int64], int], tuple[Tensor, Tensor]]) -> Dataset:
    if len(text) < _FEWEST_CHARACTERS:
        found = f"{len(text):,} characters, at least {_FEWEST_CHARACTERS:,} are needed"
        raise CheckpointRefusedError(f"text {name}: {found}")
    blocks = np.array_split(_ids(text), _BLOCKS)
    tensors: dict[str, Tensor] = {}
    for number, (part, places) in enumerate(vars(split_rows(_BLOCKS)).items()):
        windows = _windows([blocks[place] for place in sorted(places)], _MOST_WINDOWS[part])
        tensors[f"{part}_inputs"], tensors[f"{part}_labels"] = ask(windows, number)
    return Dataset(name, "text", (_LENGTH,), SIZE, **tensors)


def _ids(text: str) -> NDArray[np.int64]:
    table = np.full(128, OTHER)
    table[[ord(character) for character in VOCABULARY]] = np.arange(OTHER)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return np.where(codes < len(table), table[np.minimum(codes, len(table) - 1)], OTHER)


def _windows(blocks: list[NDArray[np.int64]], most: int) -> NDArray[np.int64]:
    """[N, 33] windows that share no character but the last, evenly spread over the blocks if there are too many."""
    found = [
        block[start : start + _LENGTH + 1] for block in blocks for start in range(0, len(block) - _LENGTH, _LENGTH)
    ]
    chosen = np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int)
    return np.stack([found[place] for place in chosen])


def _next(windows: NDArray[np.int64], part: int) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(windows[:, :-1].copy()), torch.from_numpy(windows[:, 1:].copy())


def _masked(windows: NDArray[np.int64], part: int) -> tuple[Tensor, Tensor]:
    characters = windows[:, :-1]
    order = np.random.default_rng([_MASK_SEED, part]).random(characters.shape).argsort(axis=1, kind="stable")
    hidden = order < _MASKED  # as many in every window, none without
    inputs, labels = np.where(hidden, MASK, characters), np.where(hidden, characters, IGNORED)
    return torch.from_numpy(inputs), torch.from_numpy(labels)
