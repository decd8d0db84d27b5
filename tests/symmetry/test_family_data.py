"""The packaged families: their data are what tracing gives, at other depths and widths too, with no heavy import."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from wembed.checkpoint import open_checkpoint
from wembed.errors import CheckpointRefusedError
from wembed.symmetry import find_spec
from wembed.symmetry.axes import Product
from wembed.symmetry.families import family_shapes, family_spec
from wembed.symmetry.families.family import (
    data_file,
    family_bytes,
    family_from_json,
    family_to_json,
    index,
    load_family,
)
from wembed.symmetry.repeat import stacks_of
from wembed.symmetry.stacks import stored_shapes

LLAMA_7B = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 11008,
    "num_attention_heads": 32, "num_hidden_layers": 32, "vocab_size": 32000, "hidden_act": "silu",
    "tie_word_embeddings": False, "rms_norm_eps": 1e-6, "max_position_embeddings": 2048,
}  # fmt: skip

ALL = sorted(index())
OF_TRANSFORMERS = [name for name in ALL if index()[name]["model_types"]]
SLOW = [name for name in OF_TRANSFORMERS if name not in ("gpt2", "bert", "llama")]
QUICK = [name for name in ("gpt2", "bert", "llama") if name in ALL]


@pytest.mark.parametrize("name", ALL)
def test_a_family_reads_as_it_was_written(name: str) -> None:
    family = load_family(name)
    assert family.name == name
    assert family_from_json(json.loads(json.dumps(family_to_json(family)))) == family
    assert data_file(name).read_bytes() == family_bytes(family)


@pytest.mark.parametrize("name", ALL)
def test_every_variant_gives_its_own_spec_back(name: str) -> None:
    for variant in load_family(name).variants:
        spec = variant.template.spec
        assert variant.template.depths.keys() <= stacks_of(spec.tensors).keys()
        assert spec.has_free


def test_a_llama_of_7_billion_weights_has_one_residual_group_and_three_in_each_layer() -> None:
    shapes = family_shapes(LLAMA_7B)
    assert shapes is not None
    assert len(shapes) == 291
    assert shapes["model.layers.31.mlp.down_proj.weight"] == (4096, 11008)
    spec = family_spec(shapes, LLAMA_7B)
    assert spec is not None
    free = [atom for atom in spec.atoms.values() if not atom.frozen]
    assert len(free) == 97
    assert [sum(atom.kind == kind for atom in free) for kind in ("hidden", "head", "head_dim")] == [33, 32, 32]


VIT = {
    "model_type": "vit", "architectures": ["ViTForImageClassification"], "hidden_size": 192, "num_hidden_layers": 12,
    "num_attention_heads": 3, "intermediate_size": 768, "image_size": 224, "patch_size": 16, "hidden_act": "gelu",
}  # fmt: skip
BERT = {
    "model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 512, "vocab_size": 30522, "hidden_act": "gelu",
    "max_position_embeddings": 512, "type_vocab_size": 2,
}  # fmt: skip
OLD_VIT = {
    ".layers.": ".encoder.layer.", "attention.q_proj": "attention.attention.query", "mlp.fc1": "intermediate.dense",
    "attention.k_proj": "attention.attention.key", "attention.v_proj": "attention.attention.value",
    "attention.o_proj": "attention.output.dense", "mlp.fc2": "output.dense",
}  # fmt: skip


def free_atoms(config: dict[str, object], shapes: dict[str, tuple[int, ...]]) -> int:
    spec = family_spec(shapes, config)
    assert spec is not None
    assert stored_shapes(spec) == shapes
    return sum(not atom.frozen for atom in spec.atoms.values())


def test_names_on_disk_of_older_versions_are_known() -> None:
    shapes = family_shapes(VIT) or {}
    old = {}
    for name, shape in shapes.items():
        for new, before in OLD_VIT.items():
            name = name.replace(new, before)
        old[name] = shape
    assert old.keys() != shapes.keys()
    assert free_atoms(VIT, old) == free_atoms(VIT, shapes) == 1 + 4 * 12
    shapes = family_shapes(BERT) or {}
    gamma = {
        name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): shapes[name] for name in shapes
    }
    assert free_atoms(BERT, gamma) == free_atoms(BERT, shapes) == 1 + 4 * 2


def test_a_body_without_head_or_pooler_has_its_inner_groups() -> None:
    shapes = family_shapes(BERT) or {}
    body = {name.removeprefix("bert."): shape for name, shape in shapes.items() if not name.startswith("cls.")}
    assert free_atoms(BERT, body) == 4 * 2
    assert free_atoms(BERT, {**body, "lm_head.weight": (3, 128)}) == 4 * 2


def test_a_tied_head_need_not_be_in_the_file() -> None:
    shapes = family_shapes(BERT) or {}
    stored = {name: shape for name, shape in shapes.items() if name != "cls.predictions.decoder.weight"}
    assert free_atoms(BERT, stored) == free_atoms(BERT, shapes)


def test_a_padded_cifar_resnet_is_known_by_its_names_without_scales() -> None:
    shapes = stored_shapes(load_family("cifar_resnet").variants[0].template.spec)
    spec = family_spec(shapes, {})
    assert spec is not None
    assert spec.has_free
    assert not spec.has_scales
    shapes["layer2.0.shortcut.0.weight"] = (32, 16, 1, 1)
    assert family_spec(shapes, {}) is None


GPT2 = {
    "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": 2, "n_head": 3, "n_embd": 12,
    "vocab_size": 20, "n_positions": 9,
}  # fmt: skip


def write_zeros(folder: Path, config: dict[str, object]) -> Path:
    folder.mkdir(exist_ok=True)
    shapes = {name: shape for name, shape in (family_shapes(GPT2) or {}).items() if name != "lm_head.weight"}
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_folder_with_a_config_gets_its_familys_spec(tmp_path: Path) -> None:
    spec = find_spec(open_checkpoint(write_zeros(tmp_path, GPT2)))
    assert spec.tier == "family"
    assert sum(not atom.frozen for atom in spec.atoms.values()) == 1 + 4 * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_head": 5}, r"tensor transformer\.h\.0\.attn\.\S+ has shape"),
        ({"n_embd": 24}, r"tensor transformer\.\S+ has \d+ indices along \S+, config\.json says n_embd"),
        ({"n_layer": 3}, r"tensor transformer\.h\.1\.\S+ is of the last layer, but config\.json says 3 layers"),
    ],
)
def test_a_config_of_another_network_is_refused(tmp_path: Path, change: dict[str, int], message: str) -> None:
    checkpoint = open_checkpoint(write_zeros(tmp_path, GPT2 | change))
    with pytest.raises(CheckpointRefusedError, match=message):
        find_spec(checkpoint)


def test_grouped_queries_share_their_head() -> None:
    config = {**LLAMA_7B, "num_key_value_heads": 8}
    spec = family_spec(family_shapes(config) or {}, config)
    assert spec is not None
    path = "model.layers.9.self_attn"
    query = spec.tensors[f"{path}.q_proj.weight"][0]
    assert isinstance(query, Product)
    assert query.factors[:2] == (f"{path}.q_proj.heads", f"{path}.q_proj.repeats")
    assert spec.tensors[f"{path}.v_proj.weight"][0] == Product((f"{path}.q_proj.heads", f"{path}.v_proj.head_dim"))
    assert [spec.sizes[f"{path}.q_proj.{name}"] for name in ("heads", "repeats")] == [8, 4]


def test_a_family_needs_no_torch() -> None:
    code = (
        "import json, sys, time; start = time.perf_counter()\n"
        "from wembed.symmetry.families import family_shapes, family_spec\n"
        "config = json.loads(sys.argv[1]); spec = family_spec(family_shapes(config), config)\n"
        "assert spec.tier == 'family'\n"
        "print(time.process_time(), *sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code, json.dumps(LLAMA_7B)], capture_output=True, text=True, check=True)
    seconds, *heavy = run.stdout.split()
    assert not heavy
    assert float(seconds) < 1


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in OF_TRANSFORMERS]
)
def test_the_family_gives_what_tracing_gives(name: str) -> None:
    """At a depth and width that the template was not made from, under the names of the class's own files."""
    pytest.importorskip("transformers")
    from wembed.symmetry.families.build import built_network
    from wembed.symmetry.families.generate import difference, recipe_of
    from wembed.symmetry.fitted import traced_spec

    recipe = recipe_of(name)
    architecture, fields = recipe.variants[0]
    network = built_network(recipe.model_type, architecture, recipe.probe | fields)
    traced = traced_spec(network)
    shapes, config = stored_shapes(traced), {**network.config, "architectures": [architecture]}
    found = family_spec(shapes, config)
    assert found is not None
    assert found.hash == traced.hash, difference(found, traced)
    assert family_shapes(config) == shapes


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_family_is_what_its_recipe_gives(name: str) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("timm")
    from wembed.symmetry.families.generate import generated_family

    assert generated_family(name) == load_family(name)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in OF_TRANSFORMERS]
)
def test_a_network_of_the_usual_size_is_taken_or_declined_and_never_refused(name: str) -> None:
    """What transformers builds by default; the sizes are none that a template was made from."""
    from wembed.models.foreign import config_runnable

    variant = load_family(name).variants[0]
    network = config_runnable({"model_type": index()[name]["model_types"][0], "architectures": [variant.architecture]})
    spec = family_spec(network.shapes, network.config)
    assert spec is None or stored_shapes(spec).items() <= network.shapes.items()
    assert spec is not None or name in ("deberta-v2", "qwen3")  # by default they are of another kind
