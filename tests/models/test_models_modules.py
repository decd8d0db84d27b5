import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from every_architecture import EVERY, TEXTS, described, label_of

from wembed.checkpoint import in_memory, open_checkpoint, write_safetensors
from wembed.errors import CheckpointRefusedError
from wembed.models import (
    CNN,
    GPT2,
    MLP,
    T5,
    Bert,
    Llama,
    ModelDescription,
    ViT,
    describe,
    initial_state,
    load_module,
    score,
    stored_tensors,
)
from wembed.models.foreign import described_runnable, runnable_of

MLP_WITHOUT_NORM = described(MLP(hidden=(6, 5)))


def tensors_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy(force=True) for name, value in stored_tensors(module).items()}


def inputs_of(description: ModelDescription) -> torch.Tensor:
    return runnable_of(description).args[0]


def moved(description: ModelDescription) -> torch.nn.Module:
    """A module whose weights and running statistics are not those that it started with."""
    module = description.build().train()
    with torch.no_grad():
        for value in module.parameters():
            value.add_(0.1 * torch.randn_like(value))
        module(inputs_of(description))
    return module.eval()


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_a_network_comes_back_from_its_file_bit_for_bit(architecture, tmp_path):
    description = described(architecture)
    module, inputs = moved(description), inputs_of(description)
    path = tmp_path / "a.safetensors"
    stored = {name: ("F32", values) for name, values in tensors_of(module).items()}
    write_safetensors(path, stored, description.metadata())
    again = load_module(open_checkpoint(path))
    with torch.no_grad():
        assert torch.equal(again(inputs), module(inputs))
    assert describe(open_checkpoint(path)) == description
    assert tensors_of(again).keys() == stored.keys()


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_a_rebuilt_network_can_be_cast_saved_and_trained(architecture):
    description = described(architecture)
    module = load_module(in_memory(tensors_of(moved(description)), description.metadata())).double()
    inputs = inputs_of(description)
    logits = module(inputs.double() if inputs.is_floating_point() else inputs)
    assert logits.isfinite().all()
    logits.sum().backward()
    assert not any(value.is_meta for value in [*module.state_dict().values(), *module.buffers()])


@pytest.mark.parametrize("architecture", EVERY, ids=label_of)
def test_initial_states_follow_from_their_seed_alone(architecture):
    description = described(architecture)
    before = torch.get_rng_state()
    first, again, other = (initial_state(description, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(values.dtype == np.float32 and np.array_equal(values, again[name]) for name, values in first.items())
    assert any(not np.array_equal(values, other[name]) for name, values in first.items())
    load_module(in_memory(first, description.metadata()))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("architecture", TEXTS, ids=label_of)
def test_tied_weights_are_stored_once_and_tied_again(architecture):
    description = described(architecture)
    state = initial_state(description, 0)
    module = load_module(in_memory(state, description.metadata()))
    table, head = module.get_input_embeddings().weight, module.get_output_embeddings().weight
    assert (table is head) == architecture.tied
    by_value = [values.tobytes() for values in state.values() if values.ndim == 2 and values.any()]
    assert len(set(by_value)) == len(by_value)
    assert sum(values.shape == (20, architecture.width) for values in state.values()) == 2 - architecture.tied


def test_tensors_are_called_as_on_the_hub():
    names = {
        GPT2(): "transformer.h.0.attn.c_attn.weight",
        Bert(): "bert.encoder.layer.0.attention.self.query.weight",
        Llama(): "model.layers.0.self_attn.q_proj.weight",
        T5(): "decoder.block.0.layer.1.EncDecAttention.q.weight",
    }
    for architecture, name in names.items():
        assert name in initial_state(described(architecture), 0)


def test_buffers_are_not_stored():
    names = {name for architecture in EVERY for name in initial_state(described(architecture), 0)}
    assert not any("inv_freq" in name or "_ids" in name or "num_batches" in name for name in names)


def test_no_library_is_imported_before_a_network_of_it_is_built():
    code = "import sys, wembed.models; print([name for name in ('transformers', 'timm') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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
    tensors = tensors_of(MLP_WITHOUT_NORM.build())
    other = described(MLP(hidden=(7, 5))).metadata()
    message = "a.safetensors: tensor 0.weight: found shape [6, 64], its description says [7, 64]"
    assert refusal(tensors, other).message == message
    del tensors["4.bias"]
    missing = "a.safetensors: tensor 4.bias: found nothing, its description says [10]"
    assert refusal(tensors, MLP_WITHOUT_NORM.metadata()).message == missing


def test_a_description_of_a_cnn_without_images_is_refused():
    value = json.loads(described(CNN(hidden=(3, 4), norm="batch")).model_dump_json()) | {"shape": [64]}
    refused = refusal(tensors_of(MLP_WITHOUT_NORM.build()), {"wembed.model": json.dumps(value)})
    assert refused.message == "a.safetensors: cnn-relu-bn-3x4 takes images, found inputs of shape (64,)"


@pytest.mark.parametrize(
    "architecture",
    [
        MLP(hidden=(4096,) * 16),
        CNN(hidden=(4096,) * 16),
        ViT(width=4096, layers=16),
        Llama(width=4096, heads=64, layers=16),
        T5(width=4096, heads=64, layers=16, tied=False),
    ],
    ids=label_of,
)
@pytest.mark.parametrize("read", [load_module, described_runnable])
def test_a_description_of_something_huge_is_refused_before_memory_is_taken(architecture, read):
    shape = (4096,) if "text" in architecture.takes else (16, 1024, 1024)
    description = ModelDescription(architecture=architecture, shape=shape, classes=1 << 20)
    file = in_memory({"0.weight": np.ones((2, 2), np.float32)}, description.metadata(), Path("a.safetensors"))
    with pytest.raises(CheckpointRefusedError, match=r"found (nothing|shape \[2, 2\]), its description says \["):
        read(file)


def test_a_description_of_endless_inputs_is_broken():
    value = json.loads(MLP_WITHOUT_NORM.model_dump_json()) | {"shape": [1 << 20] * 3}
    refused = refusal({"0.weight": np.ones((2, 2), np.float32)}, {"wembed.model": json.dumps(value)})
    assert "have more than 16777216 numbers" in refused.message


def test_scores_are_the_share_of_right_labels_and_the_mean_cross_entropy():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0], [0.0, 0.0]])
    labels = torch.tensor([0, 1, 1, 0])
    found = score(torch.nn.Identity(), logits, labels)
    expected = -torch.log_softmax(logits, 1)[range(4), labels].mean()
    assert found.accuracy == 0.75
    assert found.loss == pytest.approx(float(expected))
