"""Small networks of transformers, saved as people publish theirs: a config, safetensors, some in shards."""

import warnings
from pathlib import Path
from typing import Any

import torch

from wembed.models.foreign.extras import transformers_library

SHARD = "40KB"


def configs() -> dict[str, Any]:
    """A small config of each of some kinds that are common on the Hub."""
    hf = transformers_library()

    text = {"vocab_size": 120, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    return {
        "bert": hf.BertConfig(**text, intermediate_size=64, max_position_embeddings=40),
        "distilbert": hf.DistilBertConfig(
            vocab_size=120, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=40
        ),
        "gpt2": hf.GPT2Config(vocab_size=120, n_positions=40, n_embd=32, n_layer=2, n_head=4),
        "llama": hf.LlamaConfig(**text, intermediate_size=64, num_key_value_heads=2),
        "qwen2": hf.Qwen2Config(**text, intermediate_size=64, num_key_value_heads=2),
        "vit": hf.ViTConfig(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            image_size=32,
            patch_size=8,
        ),
    }


def network(kind: str, seed: int) -> Any:
    """A network of a kind with random weights that follow from a seed."""
    hf = transformers_library()

    torch.manual_seed(seed)
    return hf.AutoModel.from_config(configs()[kind])


def finetuned(parent: Any, seed: int, change: float = 0.1) -> Any:
    """A copy whose weights have moved by some of their own size."""
    import copy

    child = copy.deepcopy(parent)
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in child.parameters():
            weight += change * weight.std(unbiased=False) * torch.randn(weight.shape, generator=noise)
    return child


def publish(root: Path, name: str, saved: Any, *, sharded: bool = False) -> Path:
    """Saves a network as a repository of a loopback Hub."""
    folder = root / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved.save_pretrained(folder, max_shard_size=SHARD if sharded else "5GB")
    return folder
