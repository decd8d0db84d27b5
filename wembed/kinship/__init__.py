"""Two networks in; what they are to each other, how sure that is, and which layers they share, out."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wembed.kinship.hashes import tensor_hashes
    from wembed.kinship.layers import LayerKinship
    from wembed.kinship.order import OrderTest, order_test
    from wembed.kinship.same import Network, agree_as_stored, are_same
    from wembed.kinship.shared import share
    from wembed.kinship.strangers import LEVEL, MOST_STRANGERS, Pair, choose_strangers
    from wembed.kinship.verdict import Comparison, compare, why

_HOME = {
    "hashes": ("tensor_hashes",),
    "layers": ("LayerKinship",),
    "order": ("OrderTest", "order_test"),
    "same": ("Network", "agree_as_stored", "are_same"),
    "shared": ("share",),
    "strangers": ("LEVEL", "MOST_STRANGERS", "Pair", "choose_strangers"),
    "verdict": ("Comparison", "compare", "why"),
}

__all__ = [
    "LEVEL",
    "MOST_STRANGERS",
    "Comparison",
    "LayerKinship",
    "Network",
    "OrderTest",
    "Pair",
    "agree_as_stored",
    "are_same",
    "choose_strangers",
    "compare",
    "order_test",
    "share",
    "tensor_hashes",
    "why",
]


def __getattr__(name: str) -> object:
    """Resolve a name when it is first used: what matches neurons loads torch, what hashes tensors does not."""
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
