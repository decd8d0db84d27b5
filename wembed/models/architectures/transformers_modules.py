"""The modules of transformers that read characters, called with [B, T] int64 and giving logits [B, T', classes].

Importing this file imports transformers. Every module keeps the names that its tensors have on the Hub.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)


class _Bert(BertForMaskedLM):  # type: ignore[misc]
    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.cls.predictions.decoder.bias = self.cls.predictions.bias  # else one of them is unused where untied

    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = super().forward(input_ids=inputs).logits  # [B, T, classes]
        return logits


class _GPT2(GPT2LMHeadModel):  # type: ignore[misc]
    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = super().forward(input_ids=inputs).logits  # [B, T, classes]
        return logits


class _Llama(LlamaForCausalLM):  # type: ignore[misc]
    def forward(self, inputs: Tensor) -> Tensor:
        logits: Tensor = super().forward(input_ids=inputs).logits  # [B, T, classes]
        return logits


class _T5(T5ForConditionalGeneration):  # type: ignore[misc]
    def forward(self, inputs: Tensor) -> Tensor:
        first, second = inputs[:, : inputs.shape[1] // 2], inputs[:, inputs.shape[1] // 2 :]
        logits: Tensor = super().forward(input_ids=first, decoder_input_ids=second).logits  # [B, T - T // 2, classes]
        return logits


class _UntiedT5(_T5):
    """T5Config ties the last layer whatever it is told; what is tied is told by the class."""

    _tied_weights_keys = {  # noqa: RUF012  # as transformers writes it
        "encoder.embed_tokens.weight": "shared.weight",
        "decoder.embed_tokens.weight": "shared.weight",
    }

    def __init__(self, config: T5Config) -> None:
        super().__init__(config)
        nn.init.normal_(self.lm_head.weight, std=config.d_model**-0.5)  # at 1, as of an embedding, logits start huge


_CLASSES: dict[str, tuple[Any, Any]] = {  # of a module and its config; the library's types are not known here
    "bert": (_Bert, BertConfig),
    "gpt2": (_GPT2, GPT2Config),
    "llama": (_Llama, LlamaConfig),
    "t5": (_T5, T5Config),
    "untied t5": (_UntiedT5, T5Config),
}


def text_module(kind: str, tied: bool, fields: Mapping[str, Any]) -> nn.Module:
    """A freshly initialised module.

    Args:
        kind: bert, gpt2, llama or t5.
        tied: whether the characters' vectors are the weights of the last layer too.
        fields: of its config, which differ in type.
    """
    module_class, config_class = _CLASSES.get(kind if tied else f"untied {kind}", _CLASSES[kind])
    config = config_class(**fields, tie_word_embeddings=tied, use_cache=False)
    # Attention that is written out is as fast at these sizes as the joined operator.
    module: nn.Module = module_class._from_config(config, attn_implementation="eager", dtype=torch.float32)
    return module
