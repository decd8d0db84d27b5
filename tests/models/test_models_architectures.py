import string
from typing import get_args

import pytest
import torch
from every_architecture import CHAINS, EVERY, IMAGE, IMAGES, TEXTS, described, label_of
from pydantic import TypeAdapter, ValidationError
from torch import nn

from wembed.errors import WembedError
from wembed.models import (
    CNN,
    GPT2,
    MLP,
    T5,
    Architecture,
    Bert,
    Llama,
    ResNet,
    ViT,
    chain_steps,
)
from wembed.models.foreign import extras
from wembed.symmetry import declare_spec

READ = TypeAdapter(Architecture).validate_python
STEPPED = [chain for chain in CHAINS if chain.norm != "layer"]


def test_every_kind_is_tried_in_two_settings():
    kinds = [architecture.kind for architecture in EVERY]
    known = {kind.model_fields["kind"].default for kind in get_args(get_args(Architecture)[0])}
    assert set(kinds) == known
    assert min(map(kinds.count, kinds)) >= 2


@pytest.mark.parametrize("architecture", [*CHAINS, *IMAGES], ids=label_of)
def test_flat_inputs_become_logits(architecture):
    assert architecture.build(IMAGE, 7).eval()(torch.rand(3, 64)).shape == (3, 7)
    assert "images" in architecture.takes


@pytest.mark.parametrize("architecture", [*CHAINS, *IMAGES], ids=label_of)
def test_images_of_several_channels_are_taken(architecture):
    assert architecture.build((3, 12, 8), 7).eval()(torch.rand(2, 3 * 12 * 8)).shape == (2, 7)


@pytest.mark.parametrize("architecture", TEXTS, ids=label_of)
@pytest.mark.parametrize("length", [11, 12])
def test_windows_of_text_become_logits_for_their_last_characters(architecture, length):
    module = architecture.build((length,), 20).eval()
    predicted = -(-length // 2) if architecture.kind == "t5" else length
    assert module(torch.randint(20, (3, length))).shape == (3, predicted, 20)


@pytest.mark.parametrize("architecture", [found for found in TEXTS if found.kind != "bert"], ids=label_of)
def test_what_predicts_the_next_character_does_not_see_it(architecture):
    module, inputs = architecture.build((12,), 20).eval(), torch.randint(20, (1, 12))
    other = inputs.clone()
    other[0, -1] = (inputs[0, -1] + 1) % 20
    before, after = module(inputs)[0], module(other)[0]
    assert torch.equal(before[:-1], after[:-1])
    assert not torch.equal(before[-1], after[-1])


@pytest.mark.parametrize("architecture", STEPPED, ids=label_of)
def test_every_hidden_layer_of_a_chain_is_free_to_be_permuted(architecture):
    module = architecture.build(IMAGE, 7)
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items() if value.is_floating_point()}
    spec = declare_spec(shapes, [chain_steps(module)])
    free = sorted(atom.size for atom in spec.atoms.values() if not atom.frozen)
    assert free == sorted(architecture.hidden)
    assert not set(shapes) - set(spec.tensors)


def layers_of(architecture) -> list[type[nn.Module]]:
    return [type(layer) for layer in architecture.build(IMAGE, 5)]


def test_a_batch_norm_stands_before_the_activation_and_pooling_ends_with_the_pixels():
    hidden = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    expected = [nn.Unflatten, *hidden, nn.MaxPool2d, *hidden, nn.MaxPool2d, *hidden, nn.Flatten, nn.Linear]
    assert layers_of(CNN(hidden=(2, 3, 4), norm="batch")) == expected


def test_a_cnn_may_read_the_mean_of_unpooled_pixels():
    head = [nn.AdaptiveAvgPool2d, nn.Flatten, nn.Linear]
    assert layers_of(CNN(hidden=(2,), pooling="none", head="mean")) == [nn.Unflatten, nn.Conv2d, nn.ReLU, *head]


def test_kernels_and_strides_are_one_for_all_layers_or_one_for_each():
    def found(**settings):
        module = CNN(hidden=(2, 2), pooling="none", **settings).build(IMAGE, 5)
        return [(layer.kernel_size[0], layer.stride[0]) for layer in module if isinstance(layer, nn.Conv2d)]

    assert found() == [(3, 1), (3, 1)]
    assert found(kernel=5, strides=(2, 1)) == [(5, 2), (5, 1)]
    assert found(kernel=(1, 3), strides=2) == [(1, 2), (3, 2)]


def test_an_mlp_has_the_norm_that_it_is_given():
    assert layers_of(MLP(hidden=(3,), norm="layer")) == [nn.Linear, nn.LayerNorm, nn.ReLU, nn.Linear]
    assert layers_of(MLP(hidden=(3,), norm="batch")) == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_the_old_spelling_of_a_batch_norm_is_read(kind):
    old = {"kind": kind, "hidden": [5, 4], "activation": "relu"}
    assert READ(old | {"batch_norm": True}) == READ(old | {"norm": "batch"})
    assert READ(old | {"batch_norm": False}) == READ(old)
    assert "batch_norm" not in READ(old | {"batch_norm": True}).model_dump()
    for wrong in ({"batch_norm": True, "norm": "none"}, {"batch_norm": "perhaps"}):
        with pytest.raises(ValidationError):
            READ(old | wrong)


def test_old_settings_keep_their_labels():
    assert MLP(hidden=(32, 32)).label == "mlp-relu-32x32"
    assert MLP(hidden=(5,), activation="tanh", norm="batch").label == "mlp-tanh-bn-5"
    assert CNN(hidden=(3, 4, 5), activation="leaky_relu", norm="batch").label == "cnn-leaky_relu-bn-3x4x5"
    assert CNN(hidden=(8, 8)).label == "cnn-relu-8x8"


def test_labels_say_what_is_not_as_usual_and_end_with_the_widths():
    settings = CNN(hidden=(4, 8), kernel=(3, 5), strides=(1, 2), pooling="none", head="mean")
    assert settings.label == "cnn-relu-k3x5-s1x2-nopool-mean-4x8"
    assert ResNet(widths=(8, 16)).label == "resnet-relu-b1-8x16"
    assert Llama(width=32, heads=4, kv_heads=2).label == "llama-l2-h4kv2-e2-untied-32"


VALUES = (1, 2, 4, 5, False, True, "tanh", "none", "batch", "layer", "mean", (3, 9), (9, 3), (1, 2), (1, 3))


def variants(architecture) -> list[Architecture]:
    """The same with each field changed by itself, where that is allowed."""
    found = [architecture]
    for name in type(architecture).model_fields:
        for value in (
            1,
            2,
            4,
            5,
            False,
            True,
            "tanh",
            "none",
            "batch",
            "layer",
            "mean",
            (3, 9),
            (9, 3),
            (1, 2),
            (1, 3),
        ):
            try:
                changed = type(architecture)(**architecture.model_dump() | {name: value})
            except ValidationError:
                continue
            found += [changed] if changed not in found else []
    return found


@pytest.mark.parametrize("architecture", [CHAINS[0], CHAINS[4], *IMAGES[::2], *TEXTS[::2]], ids=label_of)
def test_the_label_tells_every_setting_apart(architecture):
    found = [variant.label for variant in variants(architecture)]
    assert len(found) > 4
    assert len(set(found)) == len(found)
    assert set("".join(found)) <= {*string.ascii_letters, *string.digits, *"-_"}


def test_one_kernel_for_all_has_one_spelling():
    assert CNN(hidden=(4, 4), kernel=(3, 3)) == CNN(hidden=(4, 4))


@pytest.mark.parametrize("architecture", [CNN(hidden=(4,)), *IMAGES], ids=label_of)
def test_what_looks_at_images_takes_nothing_else(architecture):
    with pytest.raises(ValueError, match=rf"{architecture.label} takes images, found inputs of shape \(13,\)"):
        architecture.build((13,), 3)


def test_what_reads_takes_text_only():
    with pytest.raises(ValueError, match=r"gpt2-l2-h2-e2-tied-64 takes text, found inputs of shape \(1, 8, 8\)"):
        GPT2().build(IMAGE, 3)
    with pytest.raises(ValueError, match=r"bert-l2-h2-e2-tied-64 takes 2 to 4096 characters, found 5000"):
        Bert().build((5000,), 3)


def test_patches_must_fill_the_image():
    with pytest.raises(ValueError, match=r"vit-p3-l2-h2-e2-32 cannot cut 8 x 8 pixels into patches of 3"):
        ViT(patch=3).build(IMAGE, 3)


@pytest.mark.parametrize("hidden", [(), (0,), (5000,), (4,) * 17, (-3,)])
def test_no_layer_or_too_many_or_too_wide_ones_are_refused(hidden):
    for kind in (MLP, CNN):
        with pytest.raises(ValidationError):
            kind(hidden=hidden)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "cnn", "hidden": [4, 4], "kernel": [3, 3, 1]}, "kernel has 3 entries for 2 layers"),
        ({"kind": "cnn", "hidden": [4], "strides": [1, 2]}, "strides has 2 entries for 1 layers"),
        ({"kind": "cnn", "hidden": [4], "kernel": 2}, "Input should be 1, 3 or 5"),
        ({"kind": "cnn", "hidden": [4], "norm": "layer"}, "Input should be 'none' or 'batch'"),
        ({"kind": "vit", "width": 30, "heads": 4}, "4 heads do not divide a width of 30"),
        ({"kind": "t5", "width": 30, "heads": 4}, "4 heads do not divide a width of 30"),
        ({"kind": "llama", "heads": 4, "kv_heads": 3}, "3 heads of keys do not divide 4 of queries"),
        ({"kind": "llama", "width": 6, "heads": 2}, "heads have 3 dimensions, rotary positions take an even number"),
        ({"kind": "resnet", "widths": []}, "at least 1 item"),
        ({"kind": "gru", "layers": 0}, "greater than or equal to 1"),
        ({"kind": "rnn"}, "'mlp', 'cnn', 'resnet', 'mobile', 'vit', 'gru', 'lstm', 'bert', 'gpt2', 'llama', 't5'"),
    ],
)
def test_settings_that_build_nothing_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message.replace("(", r"\(")):
        READ(settings)


def test_without_transformers_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(WembedError) as raised:
        T5().build((12,), 20)
    assert raised.value.message == "transformers is not installed, it defines this network"
    assert raised.value.hint == 'pip install "wembed-zoo[hf]"'


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_settings_survive_json(architecture):
    description = described(architecture)
    assert type(description).model_validate_json(description.model_dump_json()) == description
