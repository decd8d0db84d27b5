"""The two libraries of the `hf` extra, imported when they are needed."""

import importlib
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from wembed.errors import WembedError

_OPERATORS = tuple(  # what importing torchvision asks for
    f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for name in ("nms", "qnms")
)


def transformers_library() -> Any:  # a module of an optional library, whose types are not known here
    """Gives transformers.

    Raises:
        WembedError: it is not installed.
    """
    return _library("transformers")


def timm_library() -> Any:  # the same
    """Gives timm.

    Raises:
        WembedError: it is not installed.
    """
    return _library("timm")


def _library(name: str) -> Any:
    if find_spec(name) is None:
        raise WembedError(f"{name} is not installed, it defines this network", 'pip install "wembed-zoo[hf]"')
    _declare_operators()
    return importlib.import_module(name)


@cache
def _declare_operators() -> torch.library.Library | None:
    """Declares the operators of a torchvision that was built for another torch, without which it cannot be imported.

    Both libraries import it for image transforms, which nothing here uses. What is declared lives while it is held.
    """
    if find_spec("torchvision") is None:
        return None
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        for operator in _OPERATORS:
            library.define(operator)  # type: ignore[no-untyped-call]
        return library
    return None
