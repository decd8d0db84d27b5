"""What the families are made from whose checkpoints have no config of transformers: networks of timm, CIFAR ResNets."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from wembed.models.foreign import Runnable, timm_runnable
from wembed.models.foreign.extras import timm_library
from wembed.symmetry.families.cifar_resnet import cifar_resnet


@dataclass(frozen=True)
class NamedVariant:
    """One architecture.

    Args:
        architecture: what it is called.
        small: the network that is stored.
        more: networks for which it must give what tracing gives; none where only the stored depth is meant.
        named: the architectures of timm that are this one.
    """

    architecture: str
    small: Callable[[], Runnable]
    more: tuple[Callable[[], Runnable], ...] = ()
    named: tuple[str, ...] = ()


def _timm(name: str, **arguments: Any) -> Callable[[], Runnable]:
    return lambda: timm_runnable(name, {"num_classes": 7, "model_args": arguments})


def _torchvision(name: str) -> NamedVariant:
    """An architecture of torchvision, whose checkpoints have no config."""

    def runnable() -> Runnable:
        timm_library()  # which depends on torchvision, and makes it importable
        models = importlib.import_module("torchvision.models")
        return Runnable(name, lambda: getattr(models, name)(num_classes=7).eval(), (torch.zeros(2, 3, 224, 224),))

    return NamedVariant(name, runnable, named=(f"torchvision.{name}",))


def _alone(name: str) -> NamedVariant:
    """An architecture of one depth."""
    return NamedVariant(name, _timm(name), named=(name,))


def _cifar(*depths: int) -> Callable[[], Runnable]:
    first, second, third = depths
    return lambda: cifar_resnet((first, second, third))


_BASIC, _BOTTLENECK = ("resnet18", "resnet34"), ("resnet50", "resnet101", "resnet152", "wide_resnet50_2")

NAMED: Mapping[str, tuple[NamedVariant, ...]] = {
    "cifar_resnet": (
        NamedVariant("cifar_resnet", _cifar(5, 6, 7), (_cifar(3, 3, 3), _cifar(9, 9, 9)), ("cifar_resnet",)),
    ),
    "timm_resnet": (
        NamedVariant(
            "basic",
            _timm("resnet18", layers=(5, 5, 5, 5)),
            (_timm("resnet18"), _timm("resnet34")),
            _BASIC,
        ),
        NamedVariant(
            "bottleneck",
            _timm("resnet50", layers=(5, 5, 5, 5)),
            (_timm("resnet50"), _timm("wide_resnet50_2")),
            _BOTTLENECK,
        ),
    ),
    "timm_vgg": tuple(
        map(_alone, ("vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"))
    ),
    "timm_densenet": tuple(map(_alone, ("densenet121", "densenet169", "densenet201"))),
    "timm_mobilenet": tuple(map(_alone, ("mobilenetv2_100", "mobilenetv3_large_100", "mobilenetv3_small_100"))),
    "timm_efficientnet": tuple(map(_alone, ("efficientnet_b0", "efficientnet_b1", "efficientnet_b2"))),
    "torchvision_vgg": tuple(_torchvision(f"vgg{depth}{norm}") for norm in ("", "_bn") for depth in (11, 13, 16, 19)),
    "torchvision_mobilenet": tuple(map(_torchvision, ("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"))),
    "torchvision_efficientnet": tuple(map(_torchvision, ("efficientnet_b0", "efficientnet_b1", "efficientnet_b2"))),
}
