"""`package:factory`: a module from the user's own code."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from wembed.errors import NotFoundError, UsageError, WembedError
from wembed.models.foreign.runnable import Runnable

_HINT = "give it as package.module:factory, a callable that gives (module, example inputs)"


def factory_runnable(name: str) -> Runnable:
    """The network that a callable without arguments gives: a module with `example_inputs`, or both as a pair.

    Example inputs are a tensor, a tuple of what `forward` takes, or a dictionary by name. The working folder can be
    imported from while the callable is looked up and called.

    Raises:
        UsageError: the name has another form.
        NotFoundError: there is no such module, or nothing of that name in it.
        WembedError: the callable fails, or gives something else.
    """
    path, _, attribute = name.partition(":")
    if not path or not attribute:
        raise UsageError(f"--module {name!r} names no callable", _HINT)
    with _working_folder_importable():
        made = _called(name, _found(name, path, attribute))
    module, inputs = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, nn.Module):
        raise WembedError(f"{name} gives a {type(made).__name__}, expected a torch module", _HINT)
    args, kwargs = _inputs(name, module, inputs)
    return Runnable(name, lambda: deepcopy(module), args, kwargs)


@contextmanager
def _working_folder_importable() -> Iterator[None]:
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _found(name: str, path: str, attribute: str) -> Callable[[], object]:
    try:
        found: Any = importlib.import_module(path)
        for part in attribute.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        raise NotFoundError(f"{name}: no module named {error.name!r}", _HINT) from error
    except AttributeError as error:
        raise NotFoundError(f"{name}: {_line(error)}", _HINT) from error
    except Exception as error:  # the user's module runs as it is imported, and may raise anything
        raise _failed(name, error) from error
    if not callable(found):
        raise WembedError(f"{name} is a {type(found).__name__}, which cannot be called", _HINT)
    made: Callable[[], object] = found
    return made


def _called(name: str, factory: Callable[[], object]) -> object:
    try:
        return factory()
    except Exception as error:  # the user's code may raise anything
        raise _failed(name, error) from error


def _failed(name: str, error: Exception) -> WembedError:
    return WembedError(f"{name} failed: {type(error).__name__}: {_line(error)}", "call it in Python to see where")


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


def _inputs(name: str, module: nn.Module, given: object) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    inputs = getattr(module, "example_inputs", None) if given is None else given
    if callable(inputs) and not isinstance(inputs, Tensor):
        inputs = _called(f"{name}'s example_inputs", inputs)
    match inputs:
        case Tensor():
            return (inputs,), {}
        case tuple() | list():
            return tuple(inputs), {}
        case Mapping():
            return (), {str(key): value for key, value in inputs.items()}
        case _:
            raise WembedError(f"{name} gives no example inputs, found {type(inputs).__name__}", _HINT)
