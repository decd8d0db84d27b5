"""Networks of transformers, from what a config.json holds; nothing is downloaded, no code but transformers' runs."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from wembed.errors import WembedError
from wembed.models.foreign.depth import is_deep, reduced, too_deep
from wembed.models.foreign.example_inputs import example_inputs
from wembed.models.foreign.extras import transformers_library
from wembed.models.foreign.runnable import Runnable

_SUGGESTIONS = 3
# Fields that would run other code, load other files or change how the numbers are stored: (name, what is said of it).
_IGNORED = {
    "auto_map": "code beside the config is not run",
    "quantization_config": "the network is built unquantised",
    "use_pretrained_backbone": "nothing is downloaded",
}
_UNSAID = ("dtype", "torch_dtype", "_attn_implementation", "attn_implementation", "_attn_implementation_internal")

Config = Mapping[str, Any]  # what a config.json holds


def config_runnable(config: Config) -> Runnable:
    """The network that a config describes: its first `architectures` where that is transformers' own, else the body.

    Raises:
        WembedError: it names no model type that transformers knows, cannot be built, or transformers is not installed.
    """
    parsed, complete = _parsed(config), complete_config(config)
    deep = too_deep(complete)
    if deep:
        raise WembedError(f"config.json asks for {deep}, more layers than any network has")
    kind = _class_of(config, parsed)
    notes = [f"config.json: {name} is ignored, {why}" for name, why in _IGNORED.items() if config.get(name)]
    named = _named(config)
    if named and kind.__name__ != named:
        notes.append(f"config.json: {named} is no class of transformers for it, {kind.__name__} is taken")

    def build() -> nn.Module:
        return _built(kind, _parsed(config))

    module = _meta(build, kind.__name__)
    return Runnable(
        kind.__name__,
        build,
        kwargs=example_inputs(module, parsed),
        rename=_renaming(module),
        config=complete,
        shallow=(lambda layers: config_runnable(reduced(complete, layers))) if is_deep(complete) else None,
        notes=tuple(notes),
    )


def complete_config(config: Config) -> dict[str, Any]:
    """A config with every field, those too that its file leaves at their defaults."""
    complete: dict[str, Any] = _parsed(config).to_dict()
    return complete | ({"architectures": config["architectures"]} if "architectures" in config else {})


def _parsed(config: Config) -> Any:  # a PretrainedConfig; the library is optional
    transformers = transformers_library()
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in transformers.CONFIG_MAPPING:
        near = difflib.get_close_matches(str(kind), list(transformers.CONFIG_MAPPING), n=_SUGGESTIONS)
        hint = f"did you mean {', '.join(near)}?" if near else "transformers.CONFIG_MAPPING lists them"
        raise WembedError(f"config.json has model_type {kind!r}, which transformers does not know", hint)
    if isinstance(config.get("backbone"), str) and not config.get("backbone_config"):
        raise WembedError(f"config.json is built around {config['backbone']} of the Hub, nothing is downloaded for it")
    dropped = {*_IGNORED, *_UNSAID}
    try:
        with _silent():
            return transformers.CONFIG_MAPPING[kind].from_dict({k: v for k, v in config.items() if k not in dropped})
    except Exception as error:  # every model's config checks itself in its own way
        raise WembedError(f"config.json is no {kind} config: {_line(error)}") from error


def _named(config: Config) -> str:
    found = config.get("architectures")
    return str(found[0]) if isinstance(found, list) and found else ""


def _class_of(config: Config, parsed: Any) -> Any:
    transformers = transformers_library()
    named = getattr(transformers, _named(config), None) if _named(config) else None
    is_model = isinstance(named, type) and issubclass(named, transformers.PreTrainedModel)
    if is_model and getattr(named, "config_class", None) is type(parsed):
        return named
    try:
        found = transformers.MODEL_MAPPING[type(parsed)]
    except KeyError as error:
        raise WembedError(f"transformers has no network for model_type {parsed.model_type!r}") from error
    return found[0] if isinstance(found, (tuple, list)) else found


def _built(kind: Any, parsed: Any) -> nn.Module:
    parsed.use_cache = False
    try:
        module: nn.Module = _with_attention(kind, parsed)
    except (RuntimeError, NotImplementedError):  # the meta device's, see Runnable.module
        raise
    except Exception as error:  # every model's constructor fails in its own way
        raise WembedError(f"transformers cannot build {kind.__name__}: {_line(error)}") from error
    for part in (parsed, *(value for value in vars(parsed).values() if hasattr(value, "_experts_implementation"))):
        part._experts_implementation = "eager"  # the joined kernels ask for sizes that small networks do not have
    module.register_forward_hook(_main_output)
    return module.eval()


def _main_output(module: nn.Module, args: Any, output: Any) -> Any:  # whatever a module is called with and gives
    """What a network is for: its logits, or what its towers give, without the hidden states that come along."""
    if not isinstance(output, Mapping):
        return output
    kept = {name: value for name, value in output.items() if not name.endswith("_model_output")}
    return kept.get("logits", kept)


def _with_attention(kind: Any, parsed: Any) -> nn.Module:
    """With one operator for attention where the class has that, else written out."""
    with _silent():
        try:
            module: nn.Module = kind._from_config(parsed, attn_implementation="sdpa", dtype=torch.float32)
        except (ValueError, ImportError):
            module = kind._from_config(parsed, attn_implementation="eager", dtype=torch.float32)
    return module


@contextmanager
def _silent() -> Iterator[None]:
    """Without what transformers remarks on a config: token ids and the like."""
    logs = transformers_library().logging
    level = logs.get_verbosity()
    logs.set_verbosity_error()
    try:
        yield
    finally:
        logs.set_verbosity(level)


def _meta(build: Callable[[], nn.Module], name: str) -> nn.Module:
    try:
        with torch.device("meta"):
            return build()
    except (RuntimeError, NotImplementedError):
        pass
    try:
        return build()
    except (RuntimeError, NotImplementedError) as error:  # a size below zero, more memory than there is
        raise WembedError(f"transformers cannot build {name}: {_line(error)}") from error


def _renaming(module: nn.Module) -> Callable[[str], str]:
    """A file's names -> the module's: what transformers renames when it loads. What it joins or splits stays."""
    try:
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import WeightRenaming
    except ImportError:  # before version 5 the module's names were the files'
        return lambda name: name

    steps = [step for step in get_model_conversion_mapping(module) if isinstance(step, WeightRenaming)]

    def rename(name: str) -> str:
        for step in steps:
            name = step.rename_source_key(name)[0]
        return name

    return rename


def _line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
