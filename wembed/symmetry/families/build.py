"""Networks of transformers to trace, from a few fields of their configs: what the families are made from."""

from collections.abc import Mapping
from typing import Any

from wembed.models.foreign import Runnable, config_runnable


def built_network(model_type: str, architecture: str, fields: Mapping[str, Any]) -> Runnable:
    """A network with its example inputs on the meta device."""
    return config_runnable({**fields, "model_type": model_type, "architectures": [architecture]}).traceable


def renames_of(network: Runnable) -> tuple[tuple[str, str], ...]:
    """What turns the names of files into the module's: patterns and replacements, in order."""
    from transformers.conversion_mapping import get_model_conversion_mapping
    from transformers.core_model_loading import WeightRenaming

    return tuple(
        (step.source_patterns[0], step.target_patterns[0])
        for step in get_model_conversion_mapping(network.module)
        if type(step) is WeightRenaming and len(step.source_patterns) == len(step.target_patterns) == 1
    )
