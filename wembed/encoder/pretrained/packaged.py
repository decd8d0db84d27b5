"""Where the packaged encoder is, and which checkpoints it must not be measured on: those that it was trained on.

Its config says, under `training`, the `content` hashes of what it was trained on and validated with, and the
`init_seeds` of their runs: the catalog's init ids, which name what a run's seed draws.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wembed.catalog import CatalogRow

PRETRAINED = "pretrained"  # its name
FOLDER = Path(__file__).parent
CARD = FOLDER / "card.md"
HASH_LENGTH = 16  # hex digits of a content hash that are compared; the config may hold no more, to keep the wheel small


def is_packaged() -> bool:
    """Whether this install holds a packaged encoder."""
    return (FOLDER / "config.json").is_file() and (FOLDER / "model.safetensors").is_file()


def overlap(training: Mapping[str, object], rows: Sequence[CatalogRow]) -> list[str]:
    """The checkpoints of a zoo that an encoder was trained on, or that share their initial weights with one.

    Args:
        training: of the encoder, see `training_of`; lists `content` and `init_seeds`, where it says so.
        rows: of the zoo.

    Returns:
        Their ids, in the order of the rows.
    """
    content = {text[:HASH_LENGTH] for text in _texts(training.get("content"))}
    inits = _texts(training.get("init_seeds"))
    return [row.id for row in rows if row.content[:HASH_LENGTH] in content or (row.init_id or "") in inits]


def _texts(value: object) -> set[str]:
    return {str(text) for text in value if text} if isinstance(value, list) else set()
