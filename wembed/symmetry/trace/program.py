"""From a module to a functional graph of ATen operators, without reading a weight: torch.export on the meta device."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from logging import getLogger
from typing import Any

import torch
from torch import nn
from torch.fx import Graph

from wembed.errors import WembedError
from wembed.symmetry.trace.fused import unfuse

_LOGGERS = ("torch.export", "torch._subclasses.fake_tensor")  # what fails is raised, too


@dataclass(frozen=True)
class Program:
    """A module's graph.

    Args:
        graph: functional; every node's meta["val"] says its shape.
        parameters: name of a placeholder that is used -> its tensor's name in the state_dict.
        constants: names of the placeholders that hold other tensors of the module.
        tied: tensor name -> all names of the state_dict that stand for the same tensor.
    """

    graph: Graph
    parameters: Mapping[str, str]
    constants: Mapping[str, str]
    tied: Mapping[str, tuple[str, ...]]


def program_of(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Program:
    """A module's graph for example inputs.

    Raises:
        WembedError: where torch.export cannot follow it.
    """
    exported = _export(module, args, kwargs)
    signature = exported.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    tied = _tied(module)
    first = {name: names_[0] for names_ in tied.values() for name in names_}
    used = {node.name for node in exported.graph.nodes if node.op == "placeholder" and node.users}
    parameters = {node: first[name] for node, name in names.items() if name in first and node in used}
    constants = {**names, **signature.inputs_to_lifted_tensor_constants}
    unfuse(exported.graph)
    return Program(
        exported.graph,
        parameters,
        {node: name for node, name in constants.items() if node not in parameters},
        {names_[0]: names_ for names_ in tied.values()},
    )


def _tied(module: nn.Module) -> dict[int, tuple[str, ...]]:
    """The names of each floating tensor of the state_dict, by the tensor's identity."""
    names: dict[int, tuple[str, ...]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
            names[id(tensor)] = (*names.get(id(tensor), ()), name)
    return names


def _export(module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> torch.export.ExportedProgram:
    try:
        with _quiet(), _batched_experts(module), torch.no_grad():
            exported = torch.export.export(module, tuple(args), dict(kwargs), strict=False)
            functional: torch.export.ExportedProgram = exported.run_decompositions({})
            return functional
    except Exception as error:  # whatever the module's own code or torch.export's raises
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise WembedError(
            f"torch.export cannot follow {type(module).__name__}: {reason[:200]}",
            hint="give a spec with --spec, or a module whose forward does not depend on its inputs' values",
        ) from error


@contextmanager
def _batched_experts(module: nn.Module) -> Iterator[None]:
    """Let transformers' experts compute the same by gathered weights, which no shape depends on the routing for."""
    configs = {id(config): config for own in module.modules() if (config := getattr(own, "config", None)) is not None}
    found = [config for config in configs.values() if getattr(config, "_experts_implementation", None) is not None]
    before = [config._experts_implementation for config in found]
    try:
        for config in found:
            config._experts_implementation = "batched_mm"
        yield
    finally:
        for config, own in zip(found, before, strict=True):
            config._experts_implementation = own


@contextmanager
def _quiet() -> Iterator[None]:
    """What torch.export and the module's code warn of is about running it, not about its graph."""
    loggers = {logger: logger.disabled for logger in map(getLogger, _LOGGERS)}
    for logger in loggers:
        logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, disabled in loggers.items():
            logger.disabled = disabled
