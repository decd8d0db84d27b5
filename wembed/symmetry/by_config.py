"""Specs from a config.json alone: its family's where there is one, else its network is built and traced.

torch and transformers are imported only to trace.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec as find_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError
from wembed.symmetry.families import family_shapes, family_spec
from wembed.symmetry.spec import SymmetrySpec

if TYPE_CHECKING:
    from wembed.models.foreign import Runnable

_MOST_BYTES = 10_000_000  # of a config.json; real ones have thousands

Config = Mapping[str, Any]  # what a config.json holds


def read_config(path: Path) -> dict[str, Any]:
    """What a config.json holds.

    Raises:
        NotFoundError: there is none.
        UsageError: it is no JSON object.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path} is no config.json: {path.stat().st_size} bytes")
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"no config.json at {path}") from error
    except OSError as error:
        raise UsageError(f"{path} is no config.json: {(error.strerror or '').lower()}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no config.json: it is no JSON") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path} is no config.json: a JSON {type(found).__name__}, expected an object")
    return found


def names_network(config: Config) -> bool:
    """Whether a config says which network it is of, and the library that defines that is installed."""
    if isinstance(config.get("model_type"), str):
        return find_module("transformers") is not None
    return isinstance(config.get("architecture"), str) and find_module("timm") is not None


def network_of(config: Config) -> "Runnable":
    """The network of a config.json of transformers or timm.

    Raises:
        UsageError: it names none that is known.
        WembedError: the library is not installed, or cannot build it.
    """
    from wembed.models.foreign import config_runnable, timm_runnable

    if "model_type" not in config and isinstance(config.get("architecture"), str):
        return timm_runnable(str(config["architecture"]), config)
    return config_runnable(config)


def spec_of_config(config: Config) -> SymmetrySpec:
    """The spec of a config's network, no weights read: its family's, else traced.

    Raises:
        WembedError: it names no network that can be built.
    """
    shapes = family_shapes(config)
    spec = family_spec(shapes, config) if shapes else None
    if spec:
        return spec
    from wembed.symmetry.fitted import traced_spec

    return traced_spec(network_of(config))


def config_spec(checkpoint: Checkpoint) -> SymmetrySpec | None:
    """The traced spec of a checkpoint whose config.json names its network; None where none that is installed.

    Raises:
        CheckpointRefusedError: the config does not go together with the file's shapes, naming the tensor.
        WembedError: the network cannot be built or traced, or is not the file's.
    """
    if not names_network(checkpoint.config):
        return None
    from wembed.symmetry.fitted import spec_of_config_file

    network = network_of(checkpoint.config)
    try:
        spec = spec_of_config_file(network, checkpoint)
    except CheckpointRefusedError as error:
        message = f"{error.message}, by its config.json"
        raise CheckpointRefusedError(message, "a spec of your own goes before, give it with --spec") from error
    return replace(spec, notes=(*spec.notes, *network.notes))
