"""Example inputs for modules of transformers, by what their `forward` takes and their configs say."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_BATCH = 2
_TOKENS = 11
_ANSWER = 7  # tokens of a decoder
_PIXELS = 64  # of an image, where the network takes any
_SAMPLES = 2000  # of sound: 6 frames of a wav2vec2
_FRAMES = 64
_WORDS = 1000  # ids are drawn from no more than these

Config = Any  # a PretrainedConfig of transformers, whose fields differ from model to model


def example_inputs(module: nn.Module, config: Config) -> dict[str, Any]:
    """Keyword arguments for a module's `forward`: batch 2, few tokens, random."""
    takes = inspect.signature(module.forward).parameters
    main = getattr(module, "main_input_name", "input_ids")
    generator = torch.Generator().manual_seed(0)
    wanted = [name for name in _MAKERS if name == main or (name in takes and _is_needed(name, main, config))]
    inputs: dict[str, Any] = {name: _MAKERS[name](config, generator) for name in wanted}
    return inputs | ({"use_cache": False} if "use_cache" in takes else {})


def _is_needed(name: str, main: str, config: Config) -> bool:
    """Whether a network takes this beside its main input: a decoder's tokens, the other half of a pair of towers."""
    if name == "decoder_input_ids":
        return bool(getattr(config, "is_encoder_decoder", False))
    has_towers = hasattr(config, "text_config") and hasattr(config, "vision_config")
    return has_towers and {name, main} == {"input_ids", "pixel_values"}


def _part(config: Config, name: str) -> Config:
    return getattr(config, name, None) or config


def _field(config: Config, names: tuple[str, ...], default: int) -> int:
    found = next((getattr(config, name) for name in names if getattr(config, name, None)), default)
    return int(found)


def _tokens(config: Config, generator: torch.Generator, length: int) -> Tensor:
    text = _part(config, "text_config")
    positions = _field(text, ("max_position_embeddings", "n_positions", "max_target_positions"), 2 * length)
    words = min(_field(text, ("vocab_size",), _WORDS), _WORDS)
    lowest = min(3, words - 1)  # below are paddings and the like, which masks are made from
    return torch.randint(lowest, words, (_BATCH, min(length, max(1, positions - 3))), generator=generator)


def _input_ids(config: Config, generator: torch.Generator) -> Tensor:
    return _tokens(config, generator, _TOKENS)


def _decoder_input_ids(config: Config, generator: torch.Generator) -> Tensor:
    return _tokens(config, generator, _ANSWER)


def _pixel_values(config: Config, generator: torch.Generator) -> Tensor:
    vision = _part(config, "vision_config")
    size = getattr(vision, "image_size", None) or _PIXELS
    size = (size, size) if isinstance(size, int) else tuple(size)
    channels = _field(vision, ("num_channels", "in_channels", "in_chans"), 3)
    return torch.randn(_BATCH, channels, *size, generator=generator)


def _input_features(config: Config, generator: torch.Generator) -> Tensor:
    audio = _part(config, "audio_config")
    bands = _field(audio, ("num_mel_bins", "input_feat_per_channel", "feature_size"), 80)
    positions = getattr(audio, "max_source_positions", None)
    if positions and hasattr(audio, "num_mel_bins"):  # whisper's frames, two for each position
        return torch.randn(_BATCH, bands, 2 * positions, generator=generator)
    return torch.randn(_BATCH, _FRAMES, bands, generator=generator)


def _input_values(config: Config, generator: torch.Generator) -> Tensor:
    if hasattr(config, "num_mel_bins") and hasattr(config, "max_length"):  # a spectrogram
        return torch.randn(_BATCH, config.max_length, config.num_mel_bins, generator=generator)
    return torch.randn(_BATCH, _SAMPLES, generator=generator)


_MAKERS: Mapping[str, Callable[[Config, torch.Generator], Tensor]] = {
    "input_ids": _input_ids,
    "pixel_values": _pixel_values,
    "input_features": _input_features,
    "input_values": _input_values,
    "decoder_input_ids": _decoder_input_ids,
}
