import pytest
import torch
from pydantic import ValidationError
from torch import nn

from wembed.models import Architecture, chain_steps
from wembed.symmetry import declare_spec

IMAGE = (1, 8, 8)
ARCHITECTURES = [
    Architecture(kind="mlp", hidden=(5,)),
    Architecture(kind="mlp", hidden=(6, 4, 5), activation="tanh"),
    Architecture(kind="mlp", hidden=(6, 4), activation="gelu", batch_norm=True),
    Architecture(kind="cnn", hidden=(3, 4), activation="silu"),
    Architecture(kind="cnn", hidden=(3, 4, 5), activation="leaky_relu", batch_norm=True),
]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda found: found.label)
def test_flat_inputs_become_logits(architecture):
    assert architecture.build(IMAGE, 7).eval()(torch.rand(3, 64)).shape == (3, 7)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda found: found.label)
def test_every_hidden_layer_is_free_to_be_permuted(architecture):
    module = architecture.build(IMAGE, 7)
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items() if value.is_floating_point()}
    spec = declare_spec(shapes, [chain_steps(module)])
    free = sorted(atom.size for atom in spec.atoms.values() if not atom.frozen)
    assert free == sorted(architecture.hidden)
    assert not set(shapes) - set(spec.tensors)


def test_a_batch_norm_stands_before_the_activation_and_pooling_ends_with_the_pixels():
    module = Architecture(kind="cnn", hidden=(2, 3, 4), batch_norm=True).build(IMAGE, 5)
    kinds = [type(layer) for layer in module]
    hidden = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert kinds == [nn.Unflatten, *hidden, nn.MaxPool2d, *hidden, nn.MaxPool2d, *hidden, nn.Flatten, nn.Linear]


def test_the_label_tells_architectures_apart():
    assert ARCHITECTURES[0].label == "mlp-relu-5"
    assert ARCHITECTURES[4].label == "cnn-leaky_relu-bn-3x4x5"
    assert len({architecture.label for architecture in ARCHITECTURES}) == len(ARCHITECTURES)


def test_a_cnn_takes_images_only():
    with pytest.raises(ValueError, match=r"cnn-relu-4 takes images, found inputs of shape \(13,\)"):
        Architecture(kind="cnn", hidden=(4,)).build((13,), 3)


@pytest.mark.parametrize("hidden", [(), (0,), (5000,), (4,) * 17])
def test_no_layer_or_too_many_or_too_wide_ones_are_refused(hidden):
    with pytest.raises(ValidationError):
        Architecture(kind="mlp", hidden=hidden)
