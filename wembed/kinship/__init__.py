"""Two networks in; what they are to each other, how sure that is, and which layers they share, out."""

from wembed.kinship.compare import LEVEL, Comparison, compare, why
from wembed.kinship.hashes import tensor_hashes
from wembed.kinship.layers import LayerKinship
from wembed.kinship.order import OrderTest, order_test
from wembed.kinship.shared import share
from wembed.kinship.strangers import MOST_STRANGERS, choose_strangers

__all__ = [
    "LEVEL",
    "MOST_STRANGERS",
    "Comparison",
    "LayerKinship",
    "OrderTest",
    "choose_strangers",
    "compare",
    "order_test",
    "share",
    "tensor_hashes",
    "why",
]
