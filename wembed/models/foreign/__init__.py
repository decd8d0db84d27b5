"""Networks that others define: modules with example inputs, from transformers, timm and the user's code."""

from wembed.models.foreign.depth import FULL_DEPTHS, reduced
from wembed.models.foreign.described import described_runnable, runnable_of
from wembed.models.foreign.factory import factory_runnable
from wembed.models.foreign.names import Matched, match_names
from wembed.models.foreign.runnable import Runnable
from wembed.models.foreign.timm_name import timm_runnable
from wembed.models.foreign.transformers_config import complete_config, config_runnable

__all__ = [
    "FULL_DEPTHS",
    "Matched",
    "Runnable",
    "complete_config",
    "config_runnable",
    "described_runnable",
    "factory_runnable",
    "match_names",
    "reduced",
    "runnable_of",
    "timm_runnable",
]
