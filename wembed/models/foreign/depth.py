"""Configs of shallow members of a deep network: tracing them costs seconds, and their layers are the same."""

from collections.abc import Mapping
from typing import Any

FULL_DEPTHS = 6  # a network of no more layers is traced as it is
_MOST = 4096  # layers; a config is not trusted, and the deepest networks have hundreds
_DEPTHS = (
    "num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers", "num_encoder_layers",
    "num_decoder_layers",
)  # fmt: skip
_TOLD = ("stage_names", "out_features", "out_indices")  # of a backbone; they follow from its depth

Config = Mapping[str, Any]  # what a config.json holds


def depths_of(config: Config) -> dict[str, int]:
    """Every field that says how many layers there are, nested configs' too (`text_config.num_hidden_layers`)."""
    if "depths" in config:  # stages of their own lengths, of which the fields give only the number
        return {}
    found = {name: config[name] for name in _DEPTHS if isinstance(config.get(name), int)}
    for name, inner in config.items():
        if isinstance(inner, Mapping):
            found |= {f"{name}.{field}": depth for field, depth in depths_of(inner).items()}
    return found


def is_deep(config: Config) -> bool:
    """Whether a config's network has stacks of more layers than need to be traced."""
    return any(depth > FULL_DEPTHS for depth in depths_of(config).values())


def too_deep(config: Config) -> str:
    """The field that asks for more layers than any network has, with its value, or ""."""
    return next((f"{name} {depth}" for name, depth in depths_of(config).items() if depth > _MOST), "")


def reduced(config: Config, layers: int) -> dict[str, Any]:
    """A config with every stack at most so many layers deep; lists with an entry for each layer are cut.

    Args:
        config: complete, with every field that counts.
        layers: at least 1.
    """
    if "depths" in config:
        return dict(config)
    depths = {config[name] for name in _DEPTHS if isinstance(config.get(name), int)}
    kept = {name: value for name, value in config.items() if name not in _TOLD}
    return {name: _reduced_field(name, value, depths, layers) for name, value in kept.items()}


def _reduced_field(name: str, value: Any, depths: set[int], layers: int) -> Any:
    if isinstance(value, Mapping):
        return reduced(value, layers)
    if name in _DEPTHS and isinstance(value, int):
        return min(value, layers)
    if isinstance(value, list) and "layer" in name and len(value) in depths:
        return value[:layers]
    return value
