"""Plans: what headers say of a merge, tensor by tensor."""

import json
from pathlib import Path

import numpy as np
import pytest

from wembed.checkpoint import Checkpoint, open_checkpoint, write_safetensors
from wembed.encoder import Item
from wembed.errors import CheckpointRefusedError
from wembed.merging.recipe.document import Recipe, RecipeModel
from wembed.merging.recipe.plan import Plan, plan
from wembed.symmetry import find_spec

WEIGHTS = {"0.weight": (6, 4), "0.bias": (6,), "2.weight": (3, 6), "2.bias": (3,)}


@pytest.fixture
def save(tmp_path):
    """Writes tensors of zeros: name -> shape, or dtype and shape."""

    def write(name: str, tensors: dict, config: dict | None = None) -> Item:
        folder = tmp_path / name
        folder.mkdir()
        stored = {}
        for key, told in tensors.items():
            dtype, shape = told if told and isinstance(told[0], str) else ("F32", told)
            kind = {"F32": np.float32, "BF16": np.uint16, "F8_E4M3": np.uint8, "I64": np.int64}[dtype]
            stored[key] = (dtype, np.zeros(shape, kind))
        write_safetensors(folder / "model.safetensors", stored, {})
        if config:
            (folder / "config.json").write_text(json.dumps(config))
        checkpoint = open_checkpoint(folder if config else folder / "model.safetensors")
        return checkpoint, find_spec(checkpoint)

    return write


def planned(*items: Item, **recipe: object) -> Plan:
    models = tuple(RecipeModel(model=str(checkpoint.path)) for checkpoint, _ in items)
    return plan(Recipe(models=models, **recipe), items)


def test_a_plan_reads_no_tensor(save, monkeypatch):
    items = save("a", WEIGHTS), save("b", WEIGHTS)
    monkeypatch.setattr(Checkpoint, "_raw", lambda *_: pytest.fail("a tensor was read"))
    planned(*items).check()


def test_a_plan_says_what_becomes_of_each_tensor(save):
    tensors = planned(save("a", WEIGHTS), save("b", WEIGHTS)).tensors
    assert [(each.tensor, each.status, each.shape, each.dtype) for each in tensors] == [
        (name, "merged", shape, "F32") for name, shape in WEIGHTS.items()
    ]
    assert len(tensors[0].groups) == 1
    assert tensors[0].groups == tensors[1].groups == tensors[2].groups
    assert tensors[3].groups == ()


def test_a_plan_knows_the_size_of_what_is_written(save):
    items = save("a", {"w": ("BF16", (4, 4)), "n": ("I64", ())}), save("b", {"w": (4, 4), "m": ("I64", (9,))})
    assert planned(*items, align="none").bytes == 2 * 16 + 8
    assert planned(*items, align="none", dtype="float32").bytes == 4 * 16 + 8


def test_whole_numbers_are_copied_from_the_first(save):
    items = save("a", {"w": (4, 4), "n": ("I64", ())}), save("b", {"w": (4, 4), "m": ("I64", (9,))})
    found = planned(*items, align="none")
    found.check()
    assert {each.tensor: each.status for each in found.tensors} == {"w": "merged", "n": "copied", "m": "left out"}


def test_without_alignment_no_group_is_told(save):
    found = planned(save("a", WEIGHTS), save("b", WEIGHTS), align="none")
    assert found.groups == 0
    assert not any(each.groups for each in found.tensors)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (WEIGHTS | {"0.weight": (5, 4)}, "tensor '0.weight' is [6, 4] and [5, 4], which differ along axis 0 (hidden)"),
        (WEIGHTS | {"0.weight": (6, 2, 2)}, "tensor '0.weight' is [6, 4] and [6, 2, 2]"),
        ({"0.weight": (6, 4), "2.weight": (3, 6), "2.bias": (3,)}, "tensor '0.bias' is not in "),
        (WEIGHTS | {"4.weight": (2, 3)}, "tensor '4.weight' is not in "),
        (WEIGHTS | {"2.bias": ("F8_E4M3", (3,))}, "tensor '2.bias' is F8_E4M3, expected one of F64, F32, BF16, F16"),
    ],
)
def test_what_cannot_be_merged_is_named(save, other, message):
    with pytest.raises(CheckpointRefusedError) as refused:
        planned(save("a", WEIGHTS), save("b", other)).check()
    assert message in refused.value.message
    assert " are not mergeable: " in refused.value.message
    assert refused.value.hint


def test_the_first_ten_mismatches_are_named(save):
    names = [f"w{number}" for number in range(12)]
    items = save("a", dict.fromkeys(names, (2, 2))), save("b", dict.fromkeys(names, (3, 2)))
    with pytest.raises(CheckpointRefusedError) as refused:
        planned(*items).check()
    assert refused.value.message.count("tensor ") == 10
    assert refused.value.message.endswith("; and 2 more")


def test_of_several_files_the_one_that_differs_is_named(save):
    items = save("a", WEIGHTS), save("b", WEIGHTS), save("c", WEIGHTS | {"2.bias": (4,)})
    with pytest.raises(
        CheckpointRefusedError, match=r"tensor '2\.bias' is \[3\] and \[4\] in [^,]*/c/model\.safetensors"
    ):
        planned(*items).check()


def test_another_vocabulary_is_called_that(save):
    items = [
        save(name, {"embed.weight": (rows, 8), "w": (8, 8)}, {"vocab_size": rows, "hidden_size": 8})
        for name, rows in (("a", 100), ("b", 103))
    ]
    with pytest.raises(CheckpointRefusedError) as refused:
        planned(*items).check()
    assert "tensor 'embed.weight' has 100 and 103 tokens of vocabulary" in refused.value.message
    assert "resize the embeddings to one tokenizer first" in refused.value.hint


def test_a_tied_output_embedding_in_one_file_alone_is_all_that_is_named(save):
    body = {"model.embed.weight": (9, 4), "model.w": (4, 4)}
    with pytest.raises(CheckpointRefusedError) as refused:
        planned(save("a", body | {"lm_head.weight": (9, 4)}), save("b", body)).check()
    assert refused.value.message.count("tensor ") == 1
    assert "tensor 'lm_head.weight' is not in " in refused.value.message
    assert refused.value.hint == "one keeps its output embedding apart, or a tied copy of it: save them alike"


def test_other_networks_altogether_are_not_told_of_an_output_embedding(save):
    body = {"model.embed.weight": (9, 4), "lm_head.weight": (9, 4)}
    pair = (save("a", body, {"model_type": "x"}), save("b", {"model.embed.weight": (9, 4)}, {"model_type": "y"}))
    more = (save("c", body | {"model.w": (4, 4)}), save("d", {"model.embed.weight": (9, 4)}))
    for items in (pair, more):
        with pytest.raises(CheckpointRefusedError) as refused:
            planned(*items).check()
        assert refused.value.hint == "merging takes networks of one architecture, every layer as wide as its twin"


@pytest.mark.parametrize(
    ("config", "name"), [({"peft_type": "LORA", "r": 4}, "w"), (None, "layers.0.q_proj.lora_A.weight")]
)
def test_adapters_are_refused(save, config, name):
    items = [save(each, {name: (4, 8)}, config) for each in "ab"]
    with pytest.raises(CheckpointRefusedError, match=r"a.* is not mergeable: its tensors are adapters") as refused:
        planned(*items)
    assert refused.value.hint == "merge the adapters into their base first"


@pytest.mark.parametrize("front", ["", "text_config"])
@pytest.mark.parametrize("key", ["quantization_config", "compression_config", "quantization"])
def test_quantised_networks_are_refused(save, front, key):
    own = {key: {"bits": 4}}
    pair = save("a", {"w": (4, 8)}, {"hidden_size": 8}), save("b", {"w": (4, 8)}, {front: own} if front else own)
    with pytest.raises(CheckpointRefusedError, match=f"b is not mergeable: its config has a {key},") as no:
        planned(*pair)
    assert "save its weights as floats first" in no.value.hint


ROPE = {"model_type": "llama", "rms_norm_eps": 1e-6, "rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}
TYPES = [f"type {number}" for number in range(40)]


def noted(save, first: dict, second: dict) -> list[str]:
    items = [save(name, {"w": (8, 8)}, config) for name, config in (("a", first), ("b", second))]
    folder = items[0][0].path.parent
    return [note.replace(f"{folder}/", "") for note in planned(*items).notes]


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"rms_norm_eps": 1e-5}, "config rms_norm_eps is 1e-06 in a, which is taken, and 1e-05 in b"),
        ({"rope_parameters": {"rope_theta": 5.0}}, "config rope_theta is 1000000.0 in a, which is taken, and 5.0 in b"),
        ({"rope_parameters": None}, "config rope_theta is 1000000.0 in a, which is taken, and 10000.0 in b"),
        ({"sliding_window": 512}, "config sliding_window is None in a, which is taken, and 512 in b"),
        ({"layer_types": TYPES}, f"config layer_types is None in a, which is taken, and {str(TYPES)[:60]}... in b"),
        ({"vision_config": {"eps\n": 2}}, "config 'vision_config.eps\\n' is 1 in a, which is taken, and 2 in b"),
    ],
)  # fmt: skip
def test_fields_that_no_tensor_shows_are_noted(save, change, note):
    first = ROPE | ({"vision_config": {"eps\n": 1}} if "vision_config" in change else {})
    assert noted(save, first, first | change) == [note]


@pytest.mark.parametrize(
    "second",
    [
        {"model_type": "llama", "rms_norm_eps": 1e-6, "rope_theta": 1e6, "rope_scaling": None, "sliding_window": None},
        ROPE | {"transformers_version": "4.0", "attention_dropout": 0.1, "eos_token_id": 7, "new_field": 1},
        {},
    ],
)
def test_fields_that_change_nothing_are_not_noted(save, second):
    first = ROPE | {"transformers_version": "5.0", "attention_dropout": 0.0, "eos_token_id": 2}
    assert noted(save, first, second) == []


def test_ten_fields_are_noted(save):
    notes = noted(save, {f"field_{number}": 1 for number in range(12)}, {f"field_{number}": 2 for number in range(12)})
    assert len(notes) == 11
    assert notes[-1] == "2 more fields of their configs differ"


def test_alignment_costs_more_than_none(save):
    items = save("a", WEIGHTS), save("b", WEIGHTS)
    aligned, plain = planned(*items).effort, planned(*items, align="none").effort
    assert aligned.seconds > plain.seconds > 0
    assert aligned.memory > plain.memory > 0


def test_more_networks_take_longer(save):
    a, b, c = (save(name, WEIGHTS) for name in "abc")
    assert planned(a, b, c).effort.seconds > planned(a, b).effort.seconds


def test_the_same_file_twice_is_noted(save):
    item = save("a", WEIGHTS)
    (note,) = planned(item, item).notes
    assert note.endswith("are the same file")


def test_the_same_shapes_of_other_architectures_are_refused(save):
    items = [
        save(name, {"w": (8, 8)}, {"num_attention_heads": heads, "hidden_size": 8})
        for name, heads in (("a", 4), ("b", 2))
    ]
    with pytest.raises(CheckpointRefusedError, match="config num_attention_heads is 4 and 2"):
        planned(*items).check()


def test_a_hostile_name_stays_on_its_line(tmp_path: Path, save):
    name = "w\u202e"
    with pytest.raises(CheckpointRefusedError) as refused:
        planned(save("a", {"x": (2, 2), name: (2, 2)}), save("b", {"x": (2, 2), name: (3, 2)})).check()
    assert refused.value.message.isprintable()
