"""Networks of timm, by name or by the config.json that timm writes beside its weights."""

import difflib
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from wembed.errors import UsageError, WembedError
from wembed.models.foreign.extras import timm_library
from wembed.models.foreign.runnable import Runnable

_SMALL = 64  # pixels: enough for five halvings of an image
_SUGGESTIONS = 3
_ARGUMENTS = ("num_classes", "global_pool")  # what a config.json says of them at its top


def timm_runnable(name: str, config: Mapping[str, Any] | None = None) -> Runnable:
    """The network of a timm name, no weights loaded.

    Args:
        name: an architecture of timm, with or without a tag.
        config: what timm's config.json holds beside it: num_classes, model_args.

    Raises:
        UsageError: timm has no such architecture.
        WembedError: timm is not installed, or cannot build it.
    """
    timm = timm_library()
    if not timm.is_model(name):
        near = difflib.get_close_matches(name.partition(".")[0], timm.list_models(), n=_SUGGESTIONS)
        hint = f"did you mean {', '.join(near)}?" if near else "timm.list_models() gives their names"
        raise UsageError(f"timm has no architecture {name!r}", hint)
    arguments = _arguments(config or {})

    def build() -> nn.Module:
        module: nn.Module = timm.create_model(name, pretrained=False, **arguments)
        return module

    try:
        with torch.device("meta"):
            size = _image_shape(build())
    except (RuntimeError, NotImplementedError):  # a constructor that computes with values
        size = _image_shape(build())
    except (TypeError, ValueError, AssertionError) as error:
        raise WembedError(f"timm cannot build {name}: {error}") from error
    images = torch.randn(2, *size, generator=torch.Generator().manual_seed(0))  # [2, C, H, W]
    return Runnable(name, build, (images,))


def _arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    given = config.get("model_args")
    stated = {name: config[name] for name in _ARGUMENTS if name in config}
    return stated | (dict(given) if isinstance(given, Mapping) else {})


def _image_shape(module: nn.Module) -> tuple[int, ...]:
    """Of the images that a network takes: the one that it insists on, else a small one."""
    settings: Mapping[str, Any] = getattr(module, "pretrained_cfg", None) or {}
    channels, *size = settings.get("input_size") or (3, _SMALL, _SMALL)
    channels = getattr(module, "in_chans", channels)
    embed = getattr(module, "patch_embed", None)
    if embed is not None and getattr(embed, "img_size", None):
        return (channels, *embed.img_size)
    if settings.get("fixed_input_size"):
        return (channels, *size)
    return (channels, _SMALL, _SMALL)
