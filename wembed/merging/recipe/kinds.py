"""Checkpoints in; nothing out, or the refusal of those whose tensors are not the weights that an average is made of."""

from collections.abc import Sequence

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError

_ADAPTER = "peft_type"  # of adapter_config.json
_PARTS_OF_ADAPTERS = (".lora_A.", ".lora_B.", ".lora_embedding_A", ".lora_embedding_B")
_QUANTISED = ("quantization_config", "compression_config", "quantization")  # of transformers and of MLX
_PART = "_config"  # how the configs of a part end: text_config, vision_config


def check_kinds(checkpoints: Sequence[Checkpoint]) -> None:
    """Raises a CheckpointRefusedError where one holds adapters, or integers that stand for weights."""
    for checkpoint in checkpoints:
        if _is_adapter(checkpoint):
            found = "its tensors are adapters (LoRA and the like), whose product counts and not each of them"
            raise CheckpointRefusedError(
                f"{checkpoint.path} is not mergeable: {found}", "merge the adapters into their base first"
            )
        if key := _quantised(checkpoint.config):
            found = f"its config has a {key}, which says that weights are stored as other numbers"
            hint = f"save its weights as floats first, with a config without {key}"
            raise CheckpointRefusedError(f"{checkpoint.path} is not mergeable: {found}", hint)


def _is_adapter(checkpoint: Checkpoint) -> bool:
    return _ADAPTER in checkpoint.config or any(
        part in f".{name}" for name in checkpoint.tensors for part in _PARTS_OF_ADAPTERS
    )


def _quantised(config: dict[str, object]) -> str:
    """The key by which a config, or that of a part, tells of quantisation; "" where none does."""
    parts = [value for key, value in config.items() if key.endswith(_PART) and isinstance(value, dict)]
    return next((key for part in [config, *parts] for key in _QUANTISED if part.get(key)), "")
