"""Shrunk networks of the Hub that read characters: a few words in, a module with the Hub's own names of tensors out.

transformers is imported when one of them is built.
"""

from abc import abstractmethod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from torch import nn

from wembed.models.architectures.base import BaseArchitecture, Depth, Width

_LONGEST = 4096  # characters: a module holds masks of their number squared
# Deviation of initial weights times the root of the width: 0.02 at a width of 768, as BERT and GPT-2 were made for. At
# 0.02 narrow ones see nothing but how often a character is for hundreds of steps more.
_DEVIATION = 0.02 * 768**0.5

_Heads = Annotated[int, Field(ge=1, le=64)]
_Fields = dict[str, Any]  # of a config of transformers, which differ in type


class TextTransformer(BaseArchitecture):
    """A transformer over characters, without dropout.

    Args:
        width: of the residual stream.
        layers: number of blocks; of an encoder and decoder, each.
        heads: of attention; they divide the width.
        expansion: width of an MLP over that of the stream.
        tied: whether the characters' vectors are the weights of the last layer too.
    """

    takes: ClassVar = ("text",)

    width: Width = 64
    layers: Depth = 2
    heads: _Heads = 2
    expansion: Annotated[int, Field(ge=1, le=8)] = 2
    tied: bool = True

    @model_validator(mode="after")
    def _check_heads(self) -> "TextTransformer":
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}")
        return self

    @property
    def label(self) -> str:
        """Such as gpt2-l2-h2-e2-tied-64: layers, heads, expansion, width."""
        tied = "tied" if self.tied else "untied"
        return f"{self.kind}-l{self.layers}-h{self._heads()}-e{self.expansion}-{tied}-{self.width}"

    def build(self, shape: tuple[int, ...], classes: int) -> nn.Module:
        """Windows [B, T] of int64 to logits [B, T', classes]; see BaseArchitecture."""
        if len(shape) != 1:
            raise ValueError(f"{self.label} takes text, found inputs of shape {shape}")
        if not 2 <= shape[0] <= _LONGEST:
            raise ValueError(f"{self.label} takes 2 to {_LONGEST} characters, found {shape[0]}")
        from wembed.models.foreign.extras import transformers_library

        transformers_library()
        from wembed.models.architectures.transformers_modules import text_module

        return text_module(self.kind, self.tied, {**self.config(shape[0]), "vocab_size": classes})

    @abstractmethod
    def config(self, positions: int) -> _Fields:
        """The fields of its config, beside those that all have alike."""

    def _heads(self) -> str:
        return str(self.heads)


class Bert(TextTransformer):
    """BERT (Devlin et al., arXiv 1810.04805), which fills in masked characters."""

    kind: Literal["bert"] = "bert"

    def config(self, positions: int) -> _Fields:
        """Of BertConfig."""
        return {
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "intermediate_size": self.expansion * self.width,
            "max_position_embeddings": positions,
            "initializer_range": _DEVIATION / self.width**0.5,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "pad_token_id": None,
        }


class GPT2(TextTransformer):
    """GPT-2 (Radford et al., 2019), which predicts the next character."""

    kind: Literal["gpt2"] = "gpt2"

    def config(self, positions: int) -> _Fields:
        """Of GPT2Config."""
        return {
            "n_embd": self.width,
            "n_layer": self.layers,
            "n_head": self.heads,
            "n_inner": self.expansion * self.width,
            "n_positions": positions,
            "initializer_range": _DEVIATION / self.width**0.5,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
            "bos_token_id": None,
            "eos_token_id": None,
        }


class Llama(TextTransformer):
    """Llama (Touvron et al., arXiv 2302.13971), which predicts the next character; rotary, gated, grouped queries.

    Args:
        kv_heads: heads of keys and values, which divide those of queries.
    """

    kind: Literal["llama"] = "llama"
    kv_heads: _Heads = 1
    tied: bool = False

    @model_validator(mode="after")
    def _check_groups(self) -> "Llama":
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.kv_heads} heads of keys do not divide {self.heads} of queries")
        if self.width // self.heads % 2:
            raise ValueError(f"heads have {self.width // self.heads} dimensions, rotary positions take an even number")
        return self

    def config(self, positions: int) -> _Fields:
        """Of LlamaConfig."""
        return {
            "hidden_size": self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "intermediate_size": self.expansion * self.width,
            "max_position_embeddings": positions,
            "bos_token_id": None,
            "eos_token_id": None,
        }

    def _heads(self) -> str:
        return f"{self.heads}kv{self.kv_heads}"


class T5(TextTransformer):
    """T5 (Raffel et al., arXiv 1910.10683): its encoder reads the first half, its decoder predicts the second."""

    kind: Literal["t5"] = "t5"

    def config(self, positions: int) -> _Fields:
        """Of T5Config."""
        return {
            "d_model": self.width,
            "num_layers": self.layers,
            "num_decoder_layers": self.layers,
            "num_heads": self.heads,
            "d_kv": self.width // self.heads,
            "d_ff": self.expansion * self.width,
            "dropout_rate": 0.0,
            "feed_forward_proj": "relu",
        }
