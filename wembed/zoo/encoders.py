"""The name of an encoder in; the encoder, and the table of what it has made, out."""

import json
from pathlib import Path

from wembed.catalog import Zoo
from wembed.device import CPU, resolve_device
from wembed.encoder import BUILT_IN, DEFAULT_ENCODER, Encoder, load_encoder, pretrained
from wembed.errors import NotFoundError
from wembed.store import EmbeddingTable

CONFIG = "config.json"
_ON_CPU = ("fingerprint", "stats")  # they do without torch, which choosing a device would load


def find_encoder(name: str | None, zoo: Zoo | None, device: str = "auto") -> Encoder:
    """Gives an encoder: one of the zoo, a folder, the packaged one or a built-in one; see `encoder_name`.

    Args:
        name: what it is called; None for the zoo's newest, or the default where there is none.
        zoo: whose encoders to know.
        device: see `resolve_device`; some encoders run on the CPU whatever it says.

    Raises:
        NotFoundError: if there is none of that name, listing those that there are.
        WembedError: if the device is not there.
    """
    own = zoo.root / "encoders" if zoo else None
    name = encoder_name(name, zoo)
    on = CPU if device == "auto" and name in _ON_CPU else resolve_device(device)
    places = (own and own / name, Path(name), pretrained.FOLDER if name == pretrained.PRETRAINED else None)
    folder = next((place for place in places if place and (place / CONFIG).is_file()), None)
    if folder or name in BUILT_IN:
        return load_encoder(name, folder, on)
    kept = sorted(folder.parent.name for folder in own.glob(f"*/{CONFIG}")) if own else []
    packaged = [pretrained.PRETRAINED] if pretrained.is_packaged() else []
    known = dict.fromkeys([*BUILT_IN, *packaged, *kept])
    raise NotFoundError(f"no encoder named {name}", f"known are {', '.join(known)}, or give a folder")


def encoder_name(name: str | None, zoo: Zoo | None) -> str:
    """Gives the name that `find_encoder` goes by: the given one, that of the zoo's newest, or the default."""
    return name or _newest(zoo.root / "encoders" if zoo else None) or DEFAULT_ENCODER


def open_table(zoo: Zoo | None, encoder: Encoder, store: str | None) -> EmbeddingTable | None:
    """Gives the table of what an encoder has made, at a store or in the zoo; None if there is neither."""
    uri = store or (str(zoo.root / "embeddings") if zoo else None)
    return EmbeddingTable(uri, encoder.id, encoder.dimension) if uri else None


def _newest(own: Path | None) -> str | None:
    """The encoder of a zoo that was trained last, of those that know every structure."""
    configs = [config for config in own.glob(f"*/{CONFIG}") if _knows_all(config)] if own else []
    return max(configs, key=lambda config: config.stat().st_mtime_ns).parent.name if configs else None


def _knows_all(config: Path) -> bool:
    try:
        return not json.loads(config.read_text(encoding="utf-8")).get("structure")
    except (ValueError, AttributeError, RecursionError):
        return False
