"""An explicit-edge graph network on torch_geometric: what published weight-space encoders do, as a reference."""

from wembed.encoder.pna.encoder import Pna
from wembed.encoder.pna.module import PnaConfig
from wembed.encoder.pna.networks import PnaBatch

__all__ = ["Pna", "PnaBatch", "PnaConfig"]
