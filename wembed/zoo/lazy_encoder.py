"""The name of an encoder in; the encoder out, whose weights are read only once something is to be embedded.

What an encoder is called and how long its vectors are is kept beside its weights, under a hash of them: who searches
among what is embedded already needs no more, and does without torch.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.catalog import Zoo
from wembed.device import CPU
from wembed.encoder import Encoder, Item
from wembed.encoder.features import FEATURE_VERSION
from wembed.zoo.encoders import CONFIG, encoder_name, find_encoder

IDENTITY = "identity.json"
_WEIGHTS = "model.safetensors"
_ID = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)  # a table is named for it
_LAZY_DEVICES = ("auto", CPU)  # any other is looked for at once


@dataclass(frozen=True)
class Identity:
    """What is known of an encoder without its weights.

    Args:
        name: what a person calls it.
        id: see Encoder.
        dimension: of its vectors.
        files: hash of what it was read from.
    """

    name: str
    id: str
    dimension: int
    files: str


class LazyEncoder:
    """An encoder that is not loaded yet; see Encoder.

    Args:
        asked: its name as a person gave it.
        zoo: whose encoders to know.
        device: where it runs.
        identity: what was kept of it.
    """

    def __init__(self, asked: str, zoo: Zoo | None, device: str, identity: Identity) -> None:
        self._asked, self._zoo, self._device = asked, zoo, device
        self.name, self.id, self.dimension = identity.name, identity.id, identity.dimension

    def embed(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """See Encoder."""
        return self._loaded.embed(items)

    def __getattr__(self, name: str) -> object:
        """What only some encoders have, such as a module."""
        return getattr(self._loaded, name)

    @cached_property
    def _loaded(self) -> Encoder:
        return find_encoder(self._asked, self._zoo, self._device)


def find_encoder_lazily(name: str | None, zoo: Zoo | None, device: str = "auto") -> Encoder:
    """Gives an encoder as `find_encoder` does, without loading one that was loaded before.

    Raises:
        NotFoundError: if there is none of that name.
        WembedError: if the device is not there.
    """
    asked = encoder_name(name, zoo)
    folder = _folder_of(asked, zoo)
    if folder is None or device not in _LAZY_DEVICES:
        return find_encoder(name, zoo, device)
    files = _hash_of(folder)
    known = _read(folder)
    if known and known.files == files:
        return LazyEncoder(asked, zoo, device, known)
    encoder = find_encoder(name, zoo, device)
    identity = Identity(encoder.name, encoder.id, encoder.dimension, files)
    with suppress(OSError):  # a folder that may not be written to is read whole every time
        (folder / IDENTITY).write_text(json.dumps(asdict(identity)) + "\n", encoding="utf-8")
    return encoder


def _folder_of(name: str, zoo: Zoo | None) -> Path | None:
    """An encoder's folder in the zoo; nothing is kept in folders of others."""
    place = zoo.root / "encoders" / name if zoo else None
    return place if place and (place / CONFIG).is_file() and (place / _WEIGHTS).is_file() else None


def _hash_of(folder: Path) -> str:
    """A hash of an encoder's files and of the version of the code that reads them."""
    digest = hashlib.sha256(f"features {FEATURE_VERSION}".encode())
    for name in (CONFIG, _WEIGHTS):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _read(folder: Path) -> Identity | None:
    """What was kept; None if nothing was, or something that is none."""
    try:
        found = Identity(**json.loads((folder / IDENTITY).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    is_good = isinstance(found.dimension, int) and _ID.fullmatch(str(found.id)) is not None
    return found if is_good else None
