"""Single moves: slopes, networks that leave no freedom, and gains that cannot be divided by."""

import numpy as np
import pytest
import torch
from every_architecture import CHAINS, IMAGES, described
from transformers_at_random import TURNING, at_random, label_of

from wembed.merging.continuous import applies, nearer
from wembed.merging.continuous.freedom import Freedom
from wembed.models.foreign.transformers_config import config_runnable
from wembed.symmetry.fitted import traced_spec
from wembed.zoo.builder.specs import network_spec

VIT, UNTIED_GPT2 = TURNING[:2]
_STEP = 1e-6


@pytest.mark.parametrize("architecture", TURNING, ids=label_of)
def test_slopes_are_what_small_steps_change(architecture):
    network, generator = at_random(architecture, 1), np.random.default_rng(2)
    freedom = Freedom.of(network.spec, network.tensors)
    tensors = freedom.folded(network.tensors)
    gradient = {name: generator.normal(size=values.shape) for name, values in tensors.items()}
    assert freedom.smooth
    for move in freedom.smooth:
        slope = move.slope(gradient, tensors)
        way = generator.normal(size=slope.shape) + (1j * generator.normal(size=slope.shape) if slope.imag.any() else 0)
        up, down = (move.stepped(tensors, sign * _STEP * way) for sign in (1, -1))
        measured = sum(np.vdot(gradient[name], up[name] - down[name]) for name in tensors) / (2 * _STEP)
        assert measured == pytest.approx(float(np.vdot(way, slope).real), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("architecture", [*CHAINS, IMAGES[0]], ids=label_of)
def test_networks_without_attention_are_left_to_permutations(architecture):
    assert not applies(network_spec(described(architecture)))


def test_a_gain_of_zero_in_the_first_is_no_hindrance():
    first, second = at_random(VIT, 1), at_random(VIT, 2)
    first.tensors["blocks.0.norm1.weight"][3] = 0.0
    moved = nearer(first.tensors, second.tensors, first.spec)
    before, after = second.logits(second.tensors), second.logits(moved)
    assert float((before - after).abs().max() / before.abs().max()) < 1e-6


def test_a_stream_stays_where_a_bias_would_have_to_be_divided_by_a_gain_of_zero():
    first, second = at_random(UNTIED_GPT2, 1), at_random(UNTIED_GPT2, 2)
    assert Freedom.of(first.spec, first.tensors, second.tensors).turns
    second.tensors["transformer.ln_f.weight"][3] = 0.0  # in front of a layer without biases
    assert not Freedom.of(first.spec, first.tensors, second.tensors).turns
    moved = nearer(first.tensors, second.tensors, first.spec)
    before, after = second.logits(second.tensors), second.logits(moved)
    assert float((before - after).abs().max() / before.abs().max()) < 1e-6


def test_a_head_that_carries_nothing_is_no_hindrance():
    first, second = at_random(VIT, 1), at_random(VIT, 2)
    for name in ("blocks.0.qkv.weight", "blocks.0.qkv.bias"):
        second.tensors[name][:4] = 0.0  # queries of one head
    moved = nearer(first.tensors, second.tensors, first.spec)
    before, after = second.logits(second.tensors), second.logits(moved)
    assert float((before - after).abs().max() / before.abs().max()) < 1e-6


def test_a_class_token_is_turned_with_the_stream():
    sizes = {"num_hidden_layers": 1, "num_attention_heads": 3, "hidden_size": 12, "intermediate_size": 14}
    config = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "image_size": 8, "patch_size": 4}
    runnable = config_runnable({**config, **sizes})
    spec = traced_spec(runnable)
    modules = [runnable.with_random_weights(torch.Generator().manual_seed(seed)).double() for seed in (1, 2)]
    first, second = ({name: module.state_dict()[name].numpy().copy() for name in spec.tensors} for module in modules)
    inputs = runnable.kwargs["pixel_values"].double()
    with torch.no_grad():
        before = modules[1](inputs)
        moved = nearer(first, second, spec)
        modules[1].load_state_dict({name: torch.from_numpy(values) for name, values in moved.items()}, strict=False)
        after = modules[1](inputs)
    assert not np.allclose(moved["vit.embeddings.cls_token"], second["vit.embeddings.cls_token"])
    assert float((before - after).abs().max() / before.abs().max()) < 1e-6
