"""Networks on the meta device, from fields of a transformers config: what the families are made from."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Built:
    """A network to trace.

    Args:
        module: on the meta device, in evaluation mode.
        args: example inputs.
        kwargs: the same, by name.
        config: as config.json would hold it.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    config: Mapping[str, Any]


def built_network(model_type: str, architecture: str, fields: Mapping[str, Any]) -> Built:
    """A network of transformers."""
    import transformers

    config = transformers.CONFIG_MAPPING[model_type](**fields)
    with torch.device("meta"):
        module = getattr(transformers, architecture)._from_config(config, attn_implementation="sdpa").eval()
        ids = torch.zeros(2, 11, dtype=torch.long)
    return Built(module, (), {"input_ids": ids, "use_cache": False}, config.to_dict())


def usual_config(model_type: str) -> dict[str, Any]:
    """The config of a model type with every field at its default."""
    import transformers

    config: dict[str, Any] = transformers.CONFIG_MAPPING[model_type]().to_dict()
    return config


def tied_names(module: nn.Module, prefix: str) -> tuple[tuple[str, ...], ...]:
    """The groups of names that are one parameter, without the body's prefix."""
    names: dict[int, list[str]] = defaultdict(list)
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names[id(parameter)].append(name.removeprefix(prefix))
    return tuple(tuple(group) for group in names.values() if len(group) > 1)


def renames_of(module: nn.Module) -> tuple[tuple[str, str], ...]:
    """What turns the names of files into the module's: patterns and replacements, in order."""
    found = [("gamma$", "weight"), ("beta$", "bias")]
    return tuple(found)
