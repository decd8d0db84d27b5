"""The recipes of the rarer families; see `recipes`."""

from collections.abc import Mapping
from dataclasses import replace

from wembed.symmetry.families.recipes import (
    BERT_SMALL,
    BERT_WIDE,
    GATED_FUNCTIONS,
    LLAMA_SMALL,
    LLAMA_WIDE,
    ONE_LAYER,
    TEXT_FUNCTIONS,
    TIED,
    UNTIED,
    VIT_SMALL,
    VIT_WIDE,
    Config,
    Recipe,
    llama_like,
    two_towers,
)


def _encoder(
    model_type: str, stem: str, prefix: str, extra: tuple[Config, Config], heads: tuple[tuple[str, Config], ...] = ()
) -> Recipe:
    """An encoder with BERT's fields."""
    return Recipe(
        model_type=model_type,
        small={**BERT_SMALL, **extra[0]},
        wide={**BERT_WIDE, **extra[1]},
        more=({**BERT_SMALL, **extra[0], **ONE_LAYER}, {**BERT_SMALL, **extra[0], "num_hidden_layers": 2}),
        variants=(
            *heads,
            (f"{stem}ForMaskedLM", TIED),
            (f"{stem}ForSequenceClassification", {}),
            (f"{stem}ForTokenClassification", {}),
            (f"{stem}ForQuestionAnswering", {"num_labels": 2}),
            (f"{stem}Model", {}),
        ),
        activation="hidden_act",
        functions=TEXT_FUNCTIONS,
        prefix=prefix,
        heads=(f"{stem}Model",),
    )


_EMBEDDINGS = ({"embedding_size": 17}, {"embedding_size": 19})
_DEBERTA = {
    "relative_attention": True, "position_biased_input": False, "pos_att_type": ["p2c", "c2p"], "share_att_key": True,
    "norm_rel_ebd": "layer_norm", "position_buckets": 9, "type_vocab_size": 0, "max_relative_positions": -1,
}  # fmt: skip
_OPT_SMALL = {
    "num_hidden_layers": 5, "num_attention_heads": 3, "hidden_size": 21, "ffn_dim": 26, "vocab_size": 37,
    "max_position_embeddings": 64, "word_embed_proj_dim": 21,
}  # fmt: skip
_OPT_WIDE = _OPT_SMALL | {
    "num_hidden_layers": 6, "num_attention_heads": 4, "hidden_size": 44, "ffn_dim": 58, "vocab_size": 61,
    "word_embed_proj_dim": 44, "max_position_embeddings": 80,
}  # fmt: skip
_BLOOM_SMALL = {"n_layer": 5, "n_head": 4, "hidden_size": 28, "vocab_size": 37}
_BLOOM_WIDE = {"n_layer": 6, "n_head": 8, "hidden_size": 88, "vocab_size": 61}
_PHI3_SMALL = {
    "num_hidden_layers": 5, "num_attention_heads": 6, "num_key_value_heads": 2, "hidden_size": 60,
    "intermediate_size": 26, "vocab_size": 37, "max_position_embeddings": 64, "pad_token_id": 0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
_PHI3_WIDE = _PHI3_SMALL | {
    "num_hidden_layers": 6, "num_attention_heads": 12, "num_key_value_heads": 3, "hidden_size": 168,
    "intermediate_size": 46, "vocab_size": 53,
}  # fmt: skip
_BART_SMALL = {
    "encoder_layers": 5, "decoder_layers": 6, "encoder_attention_heads": 3, "decoder_attention_heads": 2, "d_model": 42,
    "encoder_ffn_dim": 26, "decoder_ffn_dim": 34, "vocab_size": 61, "max_position_embeddings": 29, "num_labels": 7,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "forced_eos_token_id": None,
}  # fmt: skip
_BART_WIDE = _BART_SMALL | {
    "encoder_layers": 7, "decoder_layers": 8, "encoder_attention_heads": 7, "decoder_attention_heads": 5, "d_model": 70,
    "encoder_ffn_dim": 38, "decoder_ffn_dim": 46, "vocab_size": 73, "max_position_embeddings": 31,
}  # fmt: skip

MORE_RECIPES: Mapping[str, Recipe] = {
    "roberta": _encoder("roberta", "Roberta", "roberta.", ({}, {})),
    "electra": _encoder(
        "electra", "Electra", "electra.", _EMBEDDINGS, (("ElectraForPreTraining", {}),)
    ),
    "albert": replace(  # all layers are one, so that there is no depth to repeat
        _encoder("albert", "Albert", "albert.", _EMBEDDINGS),
        more=({**BERT_SMALL, **_EMBEDDINGS[0], "num_hidden_layers": 2},),
        functions=("gelu_new", "relu"),
    ),
    "deberta-v2": _encoder("deberta-v2", "DebertaV2", "deberta.", (_DEBERTA, {**_DEBERTA, "position_buckets": 11})),
    "mpnet": _encoder("mpnet", "MPNet", "mpnet.", ({}, {})),
    "opt": Recipe(
        "opt", _OPT_SMALL, _OPT_WIDE, (_OPT_SMALL | ONE_LAYER,), (("OPTForCausalLM", TIED), ("OPTModel", {})),
        "activation_function", ("relu", "gelu"), "model.", (),
    ),
    "bloom": Recipe(
        "bloom", _BLOOM_SMALL, _BLOOM_WIDE, (_BLOOM_SMALL | {"n_layer": 1},),
        (("BloomForCausalLM", TIED), ("BloomModel", {})), prefix="transformer.", heads=("BloomModel",),
    ),
    "mixtral": Recipe(
        "mixtral", LLAMA_SMALL | {"num_local_experts": 4}, LLAMA_WIDE | {"num_local_experts": 5}, (),
        (("MixtralForCausalLM", UNTIED), ("MixtralModel", {})), "hidden_act", ("silu",), "model.", ("MixtralModel",),
    ),
    "gemma": llama_like("gemma", "Gemma", ("gelu_pytorch_tanh", "relu")),
    "gemma2": llama_like("gemma2", "Gemma2", ("gelu_pytorch_tanh", "relu"), "hidden_activation"),
    "phi3": Recipe(
        "phi3", _PHI3_SMALL, _PHI3_WIDE, (_PHI3_SMALL | ONE_LAYER,),
        (("Phi3ForCausalLM", UNTIED), ("Phi3ForCausalLM", TIED), ("Phi3Model", {})), "hidden_act", GATED_FUNCTIONS,
        "model.", ("Phi3Model",), {"partial_rotary_factor": 1.0, "rope_parameters.partial_rotary_factor": 1.0},
    ),
    "bart": Recipe(
        "bart", _BART_SMALL, _BART_WIDE, (_BART_SMALL | {"encoder_layers": 2, "decoder_layers": 1},),
        (("BartForConditionalGeneration", TIED), ("BartModel", TIED)), "activation_function", TEXT_FUNCTIONS, "model.",
    ),
    "siglip": Recipe(
        "siglip", two_towers((5, 3, 42, 26), (6, 2, 42, 58), 42, 4),
        two_towers((7, 6, 66, 46), (8, 11, 66, 74), 66, 5), (),
        (("SiglipModel", {}),),
    ),
    "deit": Recipe(
        "deit", VIT_SMALL, VIT_WIDE, (VIT_SMALL | ONE_LAYER,),
        (("DeiTForImageClassification", {}), ("DeiTForImageClassificationWithTeacher", {}), ("DeiTModel", {})),
        "hidden_act", TEXT_FUNCTIONS, "deit.", ("DeiTModel",),
    ),
    "dinov2": Recipe(
        "dinov2", VIT_SMALL, VIT_WIDE | {"mlp_ratio": 3}, (VIT_SMALL | ONE_LAYER,),
        (("Dinov2Model", {}), ("Dinov2ForImageClassification", {}), ("Dinov2Model", {"use_swiglu_ffn": True})),
        "hidden_act", TEXT_FUNCTIONS, "dinov2.", ("Dinov2Model",),
    ),
}  # fmt: skip
