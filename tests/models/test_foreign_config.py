"""Networks of transformers and timm, from configs and names."""

import pytest
import torch
from torch.utils import _pytree as pytree

from wembed.errors import UsageError, WembedError
from wembed.models.foreign import complete_config, config_runnable, reduced, timm_runnable
from wembed.models.foreign.depth import depths_of

TINY = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "vocab_size": 31, "num_hidden_layers": 2}
CONFIGS = [
    {"model_type": "bert", "architectures": ["BertForMaskedLM"], **TINY},
    {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_key_value_heads": 1, **TINY},
    {"model_type": "vit", "image_size": 16, "patch_size": 8, **TINY},
    {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "num_layers": 2, "vocab_size": 31},
    {
        "model_type": "clip",
        "text_config": {**TINY, "max_position_embeddings": 12, "bos_token_id": 0, "eos_token_id": 1},
        "vision_config": {**TINY, "image_size": 16, "patch_size": 8},
    },
    {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 12], "depths": [1, 1], "layer_type": "basic"},
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config["model_type"])
def test_a_config_gives_a_module_without_memory_and_one_that_runs(config):
    runnable = config_runnable(config)
    assert {value.device.type for value in runnable.module.parameters()} == {"meta"}
    module = runnable.with_random_weights(torch.Generator().manual_seed(0))
    assert not module.training
    with torch.no_grad():
        first, *_ = pytree.tree_leaves(module(*runnable.args, **runnable.kwargs))
    assert first.isfinite().all()
    assert 1e-3 < float(first.std()) < 1e3


def test_random_weights_leave_no_bias_zero_and_no_gain_one():
    module = timm_runnable("resnet18").with_random_weights(torch.Generator().manual_seed(0))
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            assert float(value.std()) > 0, name
    assert float(module.bn1.running_var.min()) > 0


def test_two_seeds_give_two_networks():
    runnable = config_runnable(CONFIGS[0])
    one, other, same = (
        runnable.with_random_weights(torch.Generator().manual_seed(seed)).state_dict() for seed in (0, 1, 0)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one if one[name].is_floating_point())


def test_no_code_beside_a_config_runs_and_its_class_is_said():
    config = {**CONFIGS[0], "architectures": ["Elsewhere"], "auto_map": {"AutoModel": "evil.Elsewhere"}}
    runnable = config_runnable(config)
    assert runnable.name == "BertModel"
    assert any("auto_map is ignored" in note for note in runnable.notes)
    assert any("Elsewhere is no class of transformers" in note for note in runnable.notes)


@pytest.mark.parametrize(
    ("config", "error", "hint"),
    [
        ({"model_type": "lama"}, "model_type 'lama'", "llama"),
        ({}, "model_type None", ""),
        ({"model_type": "bert", "hidden_size": 17, "num_attention_heads": 4}, "", ""),
        ({"model_type": "bert", "num_hidden_layers": 10**9}, "num_hidden_layers 1000000000", ""),
        ({"model_type": "detr", "backbone": "resnet50"}, "resnet50 of the Hub", ""),
    ],
)
def test_what_cannot_be_built_is_one_line(config, error, hint):
    with pytest.raises(WembedError) as raised:
        config_runnable(config)
    assert error in raised.value.message
    assert "\n" not in raised.value.message
    assert hint in raised.value.hint


def test_an_unknown_timm_name_gives_near_ones():
    with pytest.raises(UsageError, match="no architecture 'resnet81'") as raised:
        timm_runnable("resnet81")
    assert "did you mean resnet" in raised.value.hint


def test_timm_takes_what_its_config_says():
    runnable = timm_runnable("resnet18", {"architecture": "resnet18", "num_classes": 7})
    assert runnable.shapes["fc.weight"] == (7, 512)


def test_transformers_that_is_not_there_names_the_extra(monkeypatch):
    monkeypatch.setattr("wembed.models.foreign.extras.find_spec", lambda name: None)
    with pytest.raises(WembedError, match="transformers is not installed") as raised:
        config_runnable(CONFIGS[0])
    assert 'pip install "wembed-zoo[hf]"' in raised.value.hint


def test_a_reduced_config_is_shallow_in_every_part():
    deep = complete_config({"model_type": "t5", "num_layers": 24, "num_decoder_layers": 20})
    assert depths_of(reduced(deep, 3)) == {"num_layers": 3, "num_decoder_layers": 3}
    towers = reduced(complete_config({"model_type": "clip"}), 2)
    assert set(depths_of(towers).values()) == {2}


def test_lists_with_an_entry_for_each_layer_are_cut_with_them():
    deep = complete_config({"model_type": "qwen2", **TINY, "num_hidden_layers": 9})
    assert len(deep["layer_types"]) == 9
    shallow = reduced(deep, 4)
    assert len(shallow["layer_types"]) == shallow["num_hidden_layers"] == 4
    assert reduced(shallow, 6) == shallow


def test_a_deep_network_gives_its_shallow_members():
    runnable = config_runnable({**CONFIGS[0], "num_hidden_layers": 8})
    shallow = runnable.shallow(5)
    assert set(shallow.shapes) < set(runnable.shapes)
    assert config_runnable(CONFIGS[0]).shallow is None
