"""Training on several devices: who is who among the processes of a training, and how they are started."""

from wembed.training.distributed.launch import launch
from wembed.training.distributed.meeting import joined, speaks_first
from wembed.training.distributed.membership import Membership, own_place
from wembed.training.distributed.ranks import ALONE, PeerLostError, Ranks, current_ranks

__all__ = [
    "ALONE",
    "Membership",
    "PeerLostError",
    "Ranks",
    "current_ranks",
    "joined",
    "launch",
    "own_place",
    "speaks_first",
]
