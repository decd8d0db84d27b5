"""The sizes of experiments: which zoos each builds, which encoders it trains, how often it does all of that."""

from dataclasses import dataclass, field, replace
from typing import Literal

from wembed.training import TrainOptions

Size = Literal["small", "default", "full"]

_STANDARD = {name: TrainOptions(name) for name in ("gnn", "mlp", "pca-mlp")}
_VARIANTS = {  # a gnn with one thing changed, to see what it is worth
    "gnn-no-probes": replace(_STANDARD["gnn"], probes=0),
    "gnn-one-sweep": replace(_STANDARD["gnn"], message_passing_steps=1),
    "gnn-kinship-only": replace(_STANDARD["gnn"], objective="kinship", probes=0),
    "gnn-accuracy-only": replace(_STANDARD["gnn"], objective="accuracy"),
}


@dataclass(frozen=True)
class Plan:
    """What an experiment is made of.

    Args:
        manifests: of the zoos, each a study of its own.
        encoders: name -> how it is trained, the main one first.
        seeds: how many times a study is carried out, each time with a zoo and a split of its own.
        draws: how many seeds of noise, damage and regressions each evaluation gives the means of.
    """

    manifests: tuple[str, ...]
    encoders: dict[str, TrainOptions] = field(default_factory=lambda: dict(_STANDARD))
    seeds: int = 1
    draws: int = 3


_QUICK = _STANDARD | {"gnn": replace(_STANDARD["gnn"], probes=32, num_epochs=24)}  # for minutes, not for the last point

PLANS: dict[Size, Plan] = {
    "small": Plan(("small",), _QUICK, draws=1),
    "default": Plan(("digits",)),
    "full": Plan(("mixed", "families"), {**_STANDARD, "pna": TrainOptions("pna"), **_VARIANTS}, seeds=3),
}
