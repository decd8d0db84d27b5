"""A kind of twin in; which of its draws are its own, and not those of the run whose twin it is, out."""

from typing import Literal

Twin = Literal["init", "data", "order"]
Draw = Literal["hyperparameters", "init", "subset", "noise", "order"]

_OWN_DRAWS: dict[Twin, frozenset[Draw]] = {
    "init": frozenset({"init"}),
    "data": frozenset({"subset", "noise", "order"}),
    "order": frozenset({"order"}),
}


def twin_draws(kind: Twin) -> frozenset[Draw]:
    """What a twin draws anew; everything else it draws as its base run does.

    Args:
        kind: init has other initial weights; data another part of the data, with other wrong labels; order the same
            data in another order.
    """
    return _OWN_DRAWS[kind]
