"""What each family is made from: small networks of two widths and depths, and further ones that the template must give.

All sizes of a network differ from each other, so that none is taken for another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Config = Mapping[str, Any]  # fields of a transformers config


@dataclass(frozen=True)
class Recipe:
    """How a family of transformers is made.

    Args:
        model_type: in transformers.
        small: the config that is stored.
        wide: another depth and width, from which the rules are told.
        more: further ones, for which the template must give what tracing gives.
        variants: the classes, each with the fields that differ for it; `= hidden_sizes.0` is what another field is.
        activation: the field that names the activation function, or "".
        functions: its values, the usual one first.
        prefix: what the body's names begin with beside a head.
        heads: classes that end in what a head reads.
        fixed: further fields that must have these values.
        fewest_heads: 2 where a network with one key, or as many as queries, has sites of other names.
    """

    model_type: str
    small: Config
    wide: Config
    more: tuple[Config, ...]
    variants: tuple[tuple[str, Config], ...]
    activation: str = ""
    functions: tuple[str, ...] = ()
    prefix: str = ""
    heads: tuple[str, ...] = ()
    fixed: Config = field(default_factory=dict)
    fewest_heads: int = 1

    @property
    def probe(self) -> dict[str, Any]:
        """A network that the template is not made from: the wide one, with other depths where there are some."""
        return dict(self.more[-1]) if self.more else dict(self.wide)


TEXT_FUNCTIONS = ("gelu", "relu")
GATED_FUNCTIONS = ("silu", "relu")
TIED, UNTIED = {"tie_word_embeddings": True}, {"tie_word_embeddings": False}

BERT_SMALL = {
    "num_hidden_layers": 5, "num_attention_heads": 3, "hidden_size": 21, "intermediate_size": 26, "vocab_size": 37,
    "max_position_embeddings": 23, "type_vocab_size": 2, "pad_token_id": 0, "num_labels": 6,
}  # fmt: skip
BERT_WIDE = {
    "num_hidden_layers": 6, "num_attention_heads": 4, "hidden_size": 44, "intermediate_size": 58, "vocab_size": 61,
    "max_position_embeddings": 29, "type_vocab_size": 3, "pad_token_id": 0, "num_labels": 7,
}  # fmt: skip
ONE_LAYER, _TWO = {"num_hidden_layers": 1}, {"num_hidden_layers": 2}


def _bert(name: str, prefix: str) -> tuple[tuple[str, Config], ...]:
    return (
        (f"{prefix}ForMaskedLM", TIED),
        (f"{prefix}ForMaskedLM", UNTIED),
        (f"{prefix}ForSequenceClassification", {}),
        (f"{prefix}ForTokenClassification", {}),
        (f"{prefix}ForQuestionAnswering", {"num_labels": 2}),
        (name, {}),
    )


LLAMA_SMALL = {
    "num_hidden_layers": 5, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 14, "hidden_size": 30,
    "intermediate_size": 26, "vocab_size": 37, "max_position_embeddings": 64, "num_labels": 9,
}  # fmt: skip
LLAMA_WIDE = {
    "num_hidden_layers": 7, "num_attention_heads": 12, "num_key_value_heads": 3, "head_dim": 16, "hidden_size": 36,
    "intermediate_size": 46, "vocab_size": 53, "max_position_embeddings": 64, "num_labels": 11,
}  # fmt: skip
_LLAMA_MORE = (
    {**LLAMA_SMALL, "num_hidden_layers": 1},
    {**LLAMA_SMALL, "num_hidden_layers": 2},
    {**LLAMA_SMALL, "num_key_value_heads": 6, "num_hidden_layers": 3},
    {**LLAMA_SMALL, "num_key_value_heads": 1, "num_hidden_layers": 3},
)


def _decoder(stem: str) -> tuple[tuple[str, Config], ...]:
    return (
        (f"{stem}ForCausalLM", UNTIED),
        (f"{stem}ForCausalLM", TIED),
        (f"{stem}ForSequenceClassification", {"pad_token_id": 0}),
        (f"{stem}Model", {}),
    )


def llama_like(
    model_type: str, stem: str, functions: tuple[str, ...] = GATED_FUNCTIONS, activation: str = "hidden_act"
) -> Recipe:
    """A decoder with Llama's fields."""
    return Recipe(
        model_type=model_type,
        small=LLAMA_SMALL,
        wide=LLAMA_WIDE,
        more=_LLAMA_MORE,
        variants=_decoder(stem),
        activation=activation,
        functions=functions,
        prefix="model.",
        heads=(f"{stem}Model",),
    )


_DISTIL_SMALL = {
    "n_layers": 5, "n_heads": 3, "dim": 21, "hidden_dim": 26, "vocab_size": 37, "max_position_embeddings": 23,
    "num_labels": 6,
}  # fmt: skip
_T5_SMALL = {
    "num_layers": 5, "num_decoder_layers": 6, "num_heads": 3, "d_kv": 7, "d_model": 22, "d_ff": 26, "vocab_size": 37,
    "relative_attention_num_buckets": 8, "relative_attention_max_distance": 20,
}  # fmt: skip
_T5_WIDE = {
    "num_layers": 7, "num_decoder_layers": 8, "num_heads": 4, "d_kv": 9, "d_model": 34, "d_ff": 46, "vocab_size": 53,
    "relative_attention_num_buckets": 10, "relative_attention_max_distance": 20,
}  # fmt: skip
VIT_SMALL = {
    "num_hidden_layers": 5, "num_attention_heads": 3, "hidden_size": 21, "intermediate_size": 26, "image_size": 20,
    "patch_size": 4, "num_channels": 3, "num_labels": 6, "pooler_output_size": 21,
}  # fmt: skip
VIT_WIDE = {
    "num_hidden_layers": 6, "num_attention_heads": 4, "hidden_size": 44, "intermediate_size": 58, "image_size": 42,
    "patch_size": 6, "num_channels": 2, "num_labels": 7, "pooler_output_size": 44,
}  # fmt: skip
_WHISPER_SMALL = {
    "encoder_layers": 5, "decoder_layers": 6, "encoder_attention_heads": 3, "decoder_attention_heads": 2,
    "d_model": 42, "encoder_ffn_dim": 26, "decoder_ffn_dim": 34, "vocab_size": 61, "num_mel_bins": 8,
    "max_source_positions": 15, "max_target_positions": 19, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
    "decoder_start_token_id": 3,
}  # fmt: skip
_WHISPER_WIDE = _WHISPER_SMALL | {
    "encoder_layers": 7, "decoder_layers": 8, "encoder_attention_heads": 7, "decoder_attention_heads": 5,
    "d_model": 70, "encoder_ffn_dim": 38, "decoder_ffn_dim": 46, "vocab_size": 73, "num_mel_bins": 10,
    "max_source_positions": 17, "max_target_positions": 21,
}  # fmt: skip


_Tower = tuple[int, int, int, int]  # depth, heads, width, inner width


def two_towers(text: _Tower, vision: _Tower, projection: int, patch: int) -> Config:
    """A pair of towers, for text and images."""
    names = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
    words = {
        "vocab_size": 5 * projection, "max_position_embeddings": projection + 12, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    pixels = {"image_size": patch * (patch - 1), "patch_size": patch, "num_channels": patch - 1}
    return {
        "text_config": {**dict(zip(names, text, strict=True)), **words, "projection_dim": projection},
        "vision_config": {**dict(zip(names, vision, strict=True)), **pixels, "projection_dim": projection},
        "projection_dim": projection,
    }


def _convnext(depths: tuple[int, ...], widths: tuple[int, ...]) -> Config:
    labels = {str(i): f"LABEL_{i}" for i in range(widths[0] + depths[0])}
    return {"depths": list(depths), "hidden_sizes": list(widths), "image_size": 64, "id2label": labels}


RECIPES: Mapping[str, Recipe] = {
    "bert": Recipe(
        model_type="bert",
        small=BERT_SMALL,
        wide=BERT_WIDE,
        more=(BERT_SMALL | ONE_LAYER, BERT_SMALL | _TWO),
        variants=(("BertForPreTraining", TIED), *_bert("BertModel", "Bert")),
        activation="hidden_act",
        functions=TEXT_FUNCTIONS,
        prefix="bert.",
        heads=("BertModel",),
    ),
    "distilbert": Recipe(
        model_type="distilbert",
        small=_DISTIL_SMALL,
        wide={"n_layers": 6, "n_heads": 4, "dim": 44, "hidden_dim": 58, "vocab_size": 61,
              "max_position_embeddings": 29, "num_labels": 7},
        more=(_DISTIL_SMALL | {"n_layers": 1}, _DISTIL_SMALL | {"n_layers": 2}),
        variants=_bert("DistilBertModel", "DistilBert"),
        activation="activation",
        functions=("gelu", "relu"),
        prefix="distilbert.",
        heads=("DistilBertModel",),
    ),
    "gpt2": Recipe(
        model_type="gpt2",
        small={"n_layer": 5, "n_head": 3, "n_embd": 21, "n_inner": 26, "vocab_size": 37, "n_positions": 23,
               "num_labels": 6},
        wide={"n_layer": 6, "n_head": 4, "n_embd": 44, "n_inner": 58, "vocab_size": 61, "n_positions": 29,
              "num_labels": 7},
        more=({"n_layer": 1, "n_head": 3, "n_embd": 21, "n_inner": 26, "vocab_size": 37, "n_positions": 23},
              {"n_layer": 2, "n_head": 3, "n_embd": 21, "vocab_size": 37, "n_positions": 23}),
        variants=(("GPT2LMHeadModel", TIED), ("GPT2LMHeadModel", UNTIED),
                  ("GPT2ForSequenceClassification", {"pad_token_id": 0}), ("GPT2Model", {})),
        activation="activation_function",
        functions=("gelu_new", "relu"),
        prefix="transformer.",
        heads=("GPT2Model",),
    ),
    "llama": llama_like("llama", "Llama"),
    "qwen2": llama_like("qwen2", "Qwen2"),
    "mistral": llama_like("mistral", "Mistral"),
    "qwen3": replace(llama_like("qwen3", "Qwen3"), more=_LLAMA_MORE[:2], fewest_heads=2),
    "t5": Recipe(
        model_type="t5",
        small=_T5_SMALL,
        wide=_T5_WIDE,
        more=(_T5_SMALL | {"num_layers": 1, "num_decoder_layers": 2}, _T5_SMALL | {"num_decoder_layers": 1}),
        variants=tuple(
            (name, {"feed_forward_proj": function, **tied})
            for function, tied in (("relu", TIED), ("gated-gelu", UNTIED), ("gated-gelu", TIED))
            for name in ("T5ForConditionalGeneration", "T5EncoderModel", "T5Model")
        ),
    ),
    "vit": Recipe(
        model_type="vit",
        small=VIT_SMALL,
        wide=VIT_WIDE,
        more=(VIT_SMALL | ONE_LAYER, VIT_SMALL | _TWO),
        variants=(("ViTForImageClassification", {}), ("ViTModel", {})),
        activation="hidden_act",
        functions=TEXT_FUNCTIONS,
        prefix="vit.",
        heads=("ViTModel",),
    ),
    "clip": Recipe(
        model_type="clip",
        small=two_towers((5, 3, 21, 26), (6, 4, 44, 58), 17, 4),
        wide=two_towers((7, 5, 45, 46), (8, 6, 54, 74), 19, 5),
        more=(two_towers((1, 3, 21, 26), (2, 4, 44, 58), 17, 4),),
        variants=(("CLIPModel", {}),),
    ),
    "whisper": Recipe(
        model_type="whisper",
        small=_WHISPER_SMALL,
        wide=_WHISPER_WIDE,
        more=(_WHISPER_SMALL | {"encoder_layers": 1, "decoder_layers": 2},),
        variants=(("WhisperForConditionalGeneration", TIED), ("WhisperModel", {})),
        activation="activation_function",
        functions=("gelu", "relu"),
        prefix="model.",
    ),
    "convnext": Recipe(
        model_type="convnext",
        small=_convnext((5, 6, 7, 8), (10, 14, 22, 26)),
        wide={**_convnext((8, 7, 6, 5), (12, 16, 20, 28)), "num_channels": 2, "patch_size": 2},
        more=(_convnext((1, 1, 1, 1), (10, 14, 22, 26)), _convnext((2, 2, 6, 2), (10, 14, 22, 26))),
        variants=(("ConvNextForImageClassification", {}), ("ConvNextModel", {})),
        activation="hidden_act",
        functions=("gelu", "relu"),
        prefix="convnext.",
    ),
}  # fmt: skip
