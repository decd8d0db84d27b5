"""Which encoders of a zoo an evaluation sets side by side."""

from collections.abc import Sequence

from wembed.catalog import Zoo
from wembed.encoder import Encoder
from wembed.zoo import find_encoder
from wembed.zoo.encoders import CONFIG

MAIN = "gnn"
ALWAYS = ("fingerprint", "stats")  # need no training


def zoo_encoders(zoo: Zoo, names: Sequence[str] = (), device: str = "auto") -> dict[str, Encoder]:
    """Encoders by name, the main one first.

    Args:
        zoo: whose encoders.
        names: which; all of the zoo and those that need no training where there are none.
        device: see `resolve_device`.

    Raises:
        NotFoundError: there is none of a name.
        WembedError: the device is not there.
    """
    kept = sorted((folder.parent.name for folder in (zoo.root / "encoders").glob(f"*/{CONFIG}")), key=_main_first)
    chosen = dict.fromkeys(names or [*kept, *ALWAYS])
    return {name: find_encoder(name, zoo, device) for name in chosen}


def _main_first(name: str) -> tuple[bool, str]:
    return name != MAIN, name
