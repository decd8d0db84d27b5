import json
from pathlib import Path

import numpy as np
import pytest
import torch

from wembed.checkpoint import in_memory, open_checkpoint, write_safetensors
from wembed.errors import CheckpointRefusedError
from wembed.models import Architecture, ModelDescription, describe, load_module, score

BY_KIND = {
    "mlp": Architecture(kind="mlp", hidden=(6, 5)),
    "mlp-bn": Architecture(kind="mlp", hidden=(6, 5), batch_norm=True),
    "cnn-bn": Architecture(kind="cnn", hidden=(3, 4), batch_norm=True),
}


def described(architecture: Architecture) -> ModelDescription:
    return ModelDescription(architecture=architecture, shape=(1, 8, 8), classes=4)


def tensors_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in module.state_dict().items() if value.is_floating_point()}


def trained(description: ModelDescription) -> torch.nn.Module:
    """A module whose running statistics are not those that it started with."""
    module = description.build().train()
    with torch.no_grad():
        module(torch.rand(32, 64))
    return module.eval()


@pytest.mark.parametrize("kind", BY_KIND)
def test_a_network_comes_back_from_its_file_bit_for_bit(kind, tmp_path):
    description = described(BY_KIND[kind])
    module, inputs = trained(description), torch.rand(20, 64)
    path = tmp_path / "a.safetensors"
    stored = {name: ("F32", values) for name, values in tensors_of(module).items()}
    write_safetensors(path, stored, description.metadata())
    again = load_module(open_checkpoint(path))
    assert torch.equal(again(inputs), module(inputs))
    assert describe(open_checkpoint(path)) == description


@pytest.mark.parametrize("kind", BY_KIND)
def test_a_rebuilt_network_can_be_cast_and_saved(kind):
    description = described(BY_KIND[kind])
    module = load_module(in_memory(tensors_of(trained(description)), description.metadata())).double()
    assert module(torch.rand(3, 64, dtype=torch.float64)).shape == (3, 4)
    assert not any(value.is_meta for value in module.state_dict().values())


def refusal(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> CheckpointRefusedError:
    with pytest.raises(CheckpointRefusedError) as refused:
        load_module(in_memory(tensors, metadata, Path("a.safetensors")))
    return refused.value


def test_a_file_without_a_description_is_refused():
    refused = refusal({"0.weight": np.ones((2, 2), np.float32)}, {})
    assert refused.message == "a.safetensors: carries no description of its network to run it by"
    assert refused.hint == "files that `wembed zoo build` makes carry one"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"shape": [1]}', '{"architecture": {"kind": "rnn"}}', "\ud800"])
def test_a_broken_description_is_refused(text):
    refused = refusal({"0.weight": np.ones((2, 2), np.float32)}, {"wembed.model": text})
    assert refused.message.startswith("a.safetensors: its description of the network is broken: ")


def test_a_description_of_another_network_names_the_tensor():
    description = described(BY_KIND["mlp"])
    tensors = tensors_of(description.build())
    other = described(Architecture(kind="mlp", hidden=(7, 5))).metadata()
    message = "a.safetensors: tensor 0.weight: found shape [6, 64], its description says [7, 64]"
    assert refusal(tensors, other).message == message
    del tensors["4.bias"]
    missing = "a.safetensors: tensor 4.bias: found nothing, its description says [4]"
    assert refusal(tensors, description.metadata()).message == missing


def test_a_description_of_a_cnn_without_images_is_refused():
    value = json.loads(described(BY_KIND["cnn-bn"]).model_dump_json()) | {"shape": [64]}
    refused = refusal(tensors_of(described(BY_KIND["mlp"]).build()), {"wembed.model": json.dumps(value)})
    assert refused.message == "a.safetensors: cnn-relu-bn-3x4 takes images, found inputs of shape (64,)"


def test_scores_are_the_share_of_right_labels_and_the_mean_cross_entropy():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 0.0]])
    labels = torch.tensor([0, 1, 1, 0])
    found = score(torch.nn.Identity(), logits, labels)
    expected = -torch.log_softmax(logits, 1)[range(4), labels].mean()
    assert found.accuracy == 0.75
    assert found.loss == pytest.approx(float(expected))
