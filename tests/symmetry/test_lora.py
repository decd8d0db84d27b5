"""LoRA adapters: which of their axes are free, what is frozen and why, and that the product B A is all that counts."""

import json

import numpy as np
import pytest

from wembed.checkpoint import Checkpoint, in_memory, open_checkpoint, write_safetensors
from wembed.encoder import load_encoder
from wembed.errors import CheckpointRefusedError
from wembed.symmetry import apply_action, canonical, find_spec, random_action, random_continuous_action
from wembed.symmetry.fit import check_fit

PATH = "base_model.model.model.layers.0.self_attn.q_proj"
DOWN, UP = f"{PATH}.lora_A.weight", f"{PATH}.lora_B.weight"
CONFIG = {"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q_proj"]}


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def plain() -> dict[str, np.ndarray]:
    return {DOWN: draw(4, 6), UP: draw(5, 4)}


@pytest.fixture
def adapter(tmp_path):
    """Writes a folder as peft does and opens it."""

    def write(arrays: dict[str, np.ndarray], config: dict | None = CONFIG) -> Checkpoint:
        path = tmp_path / "adapter_model.safetensors"
        write_safetensors(path, {name: ("F32", array) for name, array in arrays.items()}, {})
        if config is not None:
            (tmp_path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
        return open_checkpoint(tmp_path)

    return write


def free_atoms(spec) -> list[str]:
    return [atom.name for atom in spec.atoms.values() if not atom.frozen]


def test_rank_axis_is_free_and_mixes(adapter):
    spec = find_spec(adapter(plain()))
    assert spec.tier == "family"
    assert free_atoms(spec) == [f"{PATH}.lora_A.out"]
    assert spec.tensors[DOWN][0] == spec.tensors[UP][1] == f"{PATH}.lora_A.out"
    assert [site.name for site in spec.sites.values() if site.scale != "none"] == [f"{PATH}.lora_A.out"]
    assert spec.sites[f"{PATH}.lora_A.out"].scale == "linear"
    assert not spec.notes


def test_axes_that_join_the_base_network_say_so(adapter):
    spec = find_spec(adapter(plain()))
    assert {atom.frozen for atom in spec.atoms.values() if atom.frozen} == {
        "joined to the base network, which is not in the file"
    }


def test_every_pair_has_a_rank_axis_of_its_own(adapter):
    other = PATH.replace("q_proj", "v_proj")
    spec = find_spec(adapter(plain() | {f"{other}.lora_A.weight": draw(4, 6), f"{other}.lora_B.weight": draw(3, 4)}))
    assert free_atoms(spec) == [f"{PATH}.lora_A.out", f"{other}.lora_A.out"]


@pytest.mark.parametrize(
    ("down", "up"),
    [
        (f"{PATH}.lora_A.default.weight", f"{PATH}.lora_B.default.weight"),
        ("base_model.model.embed_tokens.lora_embedding_A", "base_model.model.embed_tokens.lora_embedding_B"),
        ("base_model.model.embed.lora_embedding_A.default", "base_model.model.embed.lora_embedding_B.default"),
    ],
)
@pytest.mark.parametrize("config", [None, CONFIG])
def test_names_of_peft_are_recognised(adapter, down, up, config):
    spec = find_spec(adapter({down: draw(4, 6), up: draw(5, 4)}, config))
    assert len(free_atoms(spec)) == 1
    assert spec.tensors[down][0] == spec.tensors[up][1] == free_atoms(spec)[0]


def test_two_adapters_of_one_layer_stay_apart(adapter):
    arrays = {
        f"{PATH}.lora_{side}.{name}.weight": draw(*shape)
        for name in ("first", "second")
        for side, shape in (("A", (4, 6)), ("B", (5, 4)))
    }
    spec = find_spec(adapter(arrays))
    assert free_atoms(spec) == [f"{PATH}.lora_A.first.out", f"{PATH}.lora_A.second.out"]


def test_convolutions_keep_their_taps(adapter):
    spec = find_spec(adapter({DOWN: draw(4, 3, 3, 2), UP: draw(5, 4, 1, 1)}))
    assert spec.layers[0].layout == ("target", "source", "tap", "tap")
    assert free_atoms(spec) == [f"{PATH}.lora_A.out"]
    assert {atom.kind for atom in spec.atoms.values() if "tap" in atom.name} == {"spatial"}


def test_grouped_convolution_is_frozen(adapter):
    spec = find_spec(adapter({DOWN: draw(4, 3, 3, 3), UP: draw(6, 2, 1, 1)}))
    assert free_atoms(spec) == []
    assert spec.notes == (f"{PATH}: {UP} is a grouped convolution",)


@pytest.mark.parametrize("ending", ["", ".weight", ".default", ".default.weight"])
def test_magnitudes_of_dora_lie_along_the_output(adapter, ending):
    adapted = ".default" if "default" in ending else ""
    down, up = f"{PATH}.lora_A{adapted}.weight", f"{PATH}.lora_B{adapted}.weight"
    name = f"{PATH}.lora_magnitude_vector{ending}"
    spec = find_spec(adapter({down: draw(4, 6), up: draw(5, 4), name: draw(5)}))
    assert len(free_atoms(spec)) == 1
    assert spec.tensors[name] == spec.tensors[up][:1]


def test_bias_of_b_belongs_to_its_layer(adapter):
    bias = f"{PATH}.lora_B.bias"
    spec = find_spec(adapter(plain() | {bias: draw(5)}))
    assert spec.layers[1].tensors == {"weight": UP, "bias": bias}
    assert len(free_atoms(spec)) == 1


def test_saved_modules_and_base_biases_are_frozen(adapter):
    rest = {"base_model.model.score.weight": draw(2, 8), f"{PATH}.bias": draw(5)}
    spec = find_spec(adapter(plain() | rest, CONFIG | {"modules_to_save": ["score"], "bias": "lora_only"}))
    assert free_atoms(spec) == [f"{PATH}.lora_A.out"]
    assert all(spec.why_frozen(axis) for name in rest for axis in spec.tensors[name])


@pytest.mark.parametrize(("name", "partner"), [(DOWN, "lora_B"), (UP, "lora_A")])
def test_missing_partner_freezes_the_pair(adapter, name, partner):
    spec = find_spec(adapter({name: draw(4, 4)}))
    assert free_atoms(spec) == []
    assert spec.notes == (f"{PATH}: the {partner} that belongs to {name} is not in the file",)
    assert {atom.frozen for atom in spec.atoms.values()} == {f"the {partner} that belongs to {name} is not in the file"}


def test_ranks_that_disagree_are_refused_by_name(adapter):
    checkpoint = adapter({DOWN: draw(4, 6), UP: draw(5, 3)})
    message = rf"tensor {UP} has shape \[5, 3\], {DOWN} has rank 4"
    with pytest.raises(CheckpointRefusedError, match=message):
        find_spec(checkpoint)


def test_pattern_of_ranks_is_known(adapter):
    config = CONFIG | {"r": 8, "rank_pattern": {"q_proj": 4}}
    assert len(free_atoms(find_spec(adapter(plain(), config)))) == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"r": 2}, "its rank is 4, adapter_config.json says 2"),
        ({"r": "x"}, "its rank is 4, adapter_config.json says 'x'"),
        ({"r": True}, "its rank is 4, adapter_config.json says True"),
        ({"r": 2, "rank_pattern": [4]}, "its rank is 4, adapter_config.json says 2"),
        ({"use_bdlora": {"nblocks": 2}}, "use_bdlora of adapter_config.json changes what A and B are"),
        ({"target_parameters": ["self_attn.q_proj.weight"]}, "the experts' ranks stand on one axis"),
        ({"target_parameters": 3}, "the experts' ranks stand on one axis"),
    ],
)
def test_config_that_says_otherwise_freezes_the_pair(adapter, changes, why):
    spec = find_spec(adapter(plain(), CONFIG | changes))
    assert free_atoms(spec) == []
    assert why in spec.notes[0]


@pytest.mark.parametrize("path", ["mlp.experts", "mlp.experts.base_layer"])
def test_adapter_of_an_expert_stack_is_frozen(adapter, path):
    """Its ranks stand as experts x rank in A and as rank x experts in B: one permutation of both would be wrong."""
    down, up = (f"base_model.model.{path}.lora_{side}.weight" for side in "AB")
    spec = find_spec(adapter({down: draw(4, 6), up: draw(5, 4)}, None))
    assert free_atoms(spec) == []


def test_tensor_that_is_not_known_freezes_its_pair(adapter):
    spec = find_spec(adapter(plain() | {f"{PATH}.lora_E": draw(4, 1)}))
    assert free_atoms(spec) == []
    assert spec.notes[0] == f"{PATH}: {PATH}.lora_E is no part of a LoRA that is known"


def test_rank_of_nothing_is_frozen(adapter):
    spec = find_spec(adapter({DOWN: draw(0, 6), UP: draw(5, 0), "base_model.model.bias": draw(3)}, None))
    assert free_atoms(spec) == []


@pytest.mark.parametrize("config", [CONFIG | {"peft_type": "ADALORA"}, CONFIG | {"peft_type": None}])
def test_other_kinds_of_adapter_are_not_taken_for_lora(adapter, config):
    assert find_spec(adapter(plain(), config)).tier == "inferred"


def test_whole_network_that_calls_layers_so_is_not_taken_for_an_adapter(adapter):
    arrays = {"attention.lora_A.weight": draw(4, 6), "attention.lora_B.weight": draw(5, 4), "head.weight": draw(2, 5)}
    assert find_spec(adapter(arrays, None)).tier == "inferred"


def test_tensors_called_like_parts_of_a_pair_do_not_confuse_it(adapter):
    names = [f"{PATH}.lora_A.out", f"{PATH}.lora_A.in", f"{PATH}.lora_B.out", f"{PATH}.lora_B"]
    checkpoint = adapter(plain() | {name: draw(7, 7) for name in names}, None)
    check_fit(find_spec(checkpoint), checkpoint)


@pytest.mark.parametrize("taps", [(), (3, 3)])
def test_any_invertible_mix_of_the_ranks_leaves_the_product(adapter, taps):
    """What the spec claims: rows of A by R, columns of B by its inverse."""
    ones = (1,) * len(taps)
    checkpoint = adapter({DOWN: draw(4, 6, *taps), UP: draw(5, 4, *ones)})
    spec = find_spec(checkpoint)
    assert (spec.layers[0].target, spec.layers[1].source) == (f"{PATH}.lora_A.out", f"{PATH}.lora_A.out")
    assert (spec.layers[0].layout[0], spec.layers[1].layout[1]) == ("target", "source")
    down, up = (checkpoint.read(name).astype(np.float64) for name in (DOWN, UP))
    mix = np.random.default_rng(0).normal(size=(4, 4))
    mixed_up = np.einsum("or...,rs->os...", up, np.linalg.inv(mix))
    np.testing.assert_allclose(_product(mixed_up, np.tensordot(mix, down, 1)), _product(up, down), atol=1e-9)


def test_permutation_of_the_ranks_leaves_the_product(adapter):
    checkpoint = adapter(plain())
    spec = find_spec(checkpoint)
    action = random_action(spec, np.random.default_rng(2))
    after = dict(apply_action(action, spec, checkpoint.read))
    assert not np.array_equal(after[DOWN], checkpoint.read(DOWN))
    np.testing.assert_allclose(_product(after[UP], after[DOWN]), _product(*map(checkpoint.read, (UP, DOWN))), atol=1e-5)


ENCODERS = ("fingerprint", "stats", "gnn")


def two_pairs() -> dict[str, np.ndarray]:
    other = PATH.replace("q_proj", "v_proj")
    return plain() | {f"{other}.lora_A.weight": draw(4, 9), f"{other}.lora_B.weight": draw(7, 4)}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("seed", range(3))
def test_embedding_does_not_depend_on_the_factorisation(adapter, encoder, seed):
    checkpoint = adapter(two_pairs())
    spec = find_spec(checkpoint)
    action = random_continuous_action(spec, np.random.default_rng(seed))
    mixed = in_memory({name: np.asarray(values) for name, values in apply_action(action, spec, checkpoint.read)})
    assert action.mixes.keys() == {site.name for site in spec.sites.values() if site.scale == "linear"}
    np.testing.assert_allclose(
        _product(*map(mixed.read, (UP, DOWN))), _product(*map(checkpoint.read, (UP, DOWN))), atol=1e-5
    )
    first, second = load_encoder(encoder).embed([(checkpoint, spec), (mixed, spec)])
    assert np.linalg.norm(first - second) < 1e-4 * max(1.0, np.linalg.norm(first))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_embedding_sees_the_product(adapter, encoder):
    """The control of the test above: another B makes another embedding."""
    arrays = two_pairs()
    checkpoint = adapter(arrays)
    spec = find_spec(checkpoint)
    other = in_memory(arrays | {UP: draw(5, 4)[::-1] * 3})
    first, second = load_encoder(encoder).embed([(checkpoint, spec), (other, spec)])
    assert np.linalg.norm(first - second) > 1e-2


@pytest.mark.parametrize("encoder", ENCODERS)
def test_adapter_before_its_first_step_is_embedded(adapter, encoder):
    """Its B is zero, so that its product has no singular vectors."""
    checkpoint = adapter({DOWN: draw(4, 6), UP: np.zeros((5, 4), np.float32)})
    spec = find_spec(checkpoint)
    canonical(checkpoint, spec)
    (found,) = load_encoder(encoder).embed([(checkpoint, spec)])
    assert np.isfinite(found).all()


def _product(up: np.ndarray, down: np.ndarray) -> np.ndarray:
    return np.tensordot(up.reshape(up.shape[:2]), down, 1)
