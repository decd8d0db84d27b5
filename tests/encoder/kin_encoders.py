"""The encoders that kinship is shown with: those built in, and the folders that WEMBED_TEST_ENCODER names."""

import functools
import os
from pathlib import Path

from wembed.encoder import Encoder, load_encoder

FOLDERS = tuple(folder for folder in os.environ.get("WEMBED_TEST_ENCODER", "").split(os.pathsep) if folder)
HELD = ("fingerprint", *FOLDERS)  # to what is asked of the default; the others are shown beside them
INVARIANT = ("fingerprint", "gnn", "pretrained", *FOLDERS)
ENCODERS = ("fingerprint", "stats", "gnn", "pretrained", *FOLDERS)


@functools.cache
def encoder_of(name: str) -> Encoder:
    """An encoder by its built-in name or its folder."""
    return load_encoder(name, Path(name) if name in FOLDERS else None)
