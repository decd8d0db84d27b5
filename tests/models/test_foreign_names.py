"""A module's names against a file's."""

import pytest

from wembed.errors import CheckpointRefusedError, WembedError
from wembed.models.foreign import config_runnable, match_names

BODY = {"bert.embed.weight": (9, 4), "bert.layer.0.weight": (4, 4), "bert.norm.weight": (4,), "bert.norm.bias": (4,)}
MODULE = {**BODY, "cls.weight": (2, 4)}


def matched(file):
    return match_names(MODULE, file, lambda name: name)


def without_prefix(shapes):
    return {name.removeprefix("bert."): shape for name, shape in shapes.items()}


def test_equal_names_match():
    found = matched(MODULE)
    assert found.names == {name: name for name in MODULE}
    assert found.missing == found.extra == ()


def test_a_body_without_its_prefix_matches():
    found = matched(without_prefix(BODY))
    assert found.names["bert.embed.weight"] == "embed.weight"
    assert found.missing == ("cls.weight",)


@pytest.mark.parametrize("prefix", ["module.", "other.", "a.b."])
def test_a_file_with_a_prefix_of_its_own_matches(prefix):
    found = matched({f"{prefix}{name}": shape for name, shape in MODULE.items()})
    assert len(found.names) == len(MODULE)


def test_a_head_stands_beside_the_prefix():
    found = matched({**without_prefix(BODY), "cls.weight": (2, 4), "more.weight": (3, 3)})
    assert len(found.names) == len(MODULE)
    assert found.extra == ("more.weight",)


def test_gamma_and_beta_are_weight_and_bias():
    file = {name: shape for name, shape in MODULE.items() if "norm" not in name}
    found = matched(file | {"bert.norm.gamma": (4,), "bert.norm.beta": (4,)})
    assert found.names["bert.norm.weight"] == "bert.norm.gamma"
    assert found.missing == ()


def test_another_shape_is_refused_by_name():
    with pytest.raises(CheckpointRefusedError, match=r"bert.embed.weight has shape \[8, 4\], expected \[9, 4\]"):
        matched(MODULE | {"bert.embed.weight": (8, 4)})


def test_another_network_is_not_taken_for_this_one():
    with pytest.raises(WembedError, match=r"1 of the module's 5 tensors are in the file, bert\.embed\.weight"):
        matched({"cls.weight": (2, 4), "fc": (3, 3)})


def test_names_of_older_versions_match():
    config = {"model_type": "vit", "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24,
              "num_hidden_layers": 2, "image_size": 16, "patch_size": 8}  # fmt: skip
    runnable = config_runnable(config)
    old = {
        name.replace("attention.q_proj", "attention.attention.query").replace("mlp.fc1", "intermediate.dense"): shape
        for name, shape in runnable.shapes.items()
    }
    old = {name.replace("layers.", "encoder.layer."): shape for name, shape in old.items()}
    assert old.keys() != runnable.shapes.keys()
    found = match_names(runnable.shapes, old, runnable.rename)
    assert found.missing == ()
    assert {runnable.shapes[name] == old[stored] for name, stored in found.names.items()} == {True}
