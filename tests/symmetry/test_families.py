"""A family's template, found by names and config.json, gives a checkpoint's spec; what does not fit is declined."""

import json

import pytest
from transformer_specs import Decoder, decoder_spec

from wembed.errors import CheckpointRefusedError
from wembed.symmetry.families import choose
from wembed.symmetry.families.derive import Example, derived_template
from wembed.symmetry.families.family import Family, Variant, family_from_json, family_to_json
from wembed.symmetry.inference.chains import Shapes
from wembed.symmetry.stacks import stored_shapes

FIELDS = {
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "mlp": "intermediate_size",
    "heads": "num_key_value_heads",
    "value": "value_dim",
    "vocabulary": "vocab_size",
}


def config_of(sizes: Decoder) -> dict[str, object]:
    config: dict[str, object] = {field: getattr(sizes, name) for name, field in FIELDS.items()}
    heads = sizes.heads * sizes.repeats
    return {**config, "num_attention_heads": heads, "head_dim": 2 * sizes.half, "model_type": "toy", "flag": True}


SMALL, WIDE = Decoder(5), Decoder(7, hidden=12, mlp=17, heads=5, repeats=4, value=6, half=8, vocabulary=29)
OTHER = Decoder(9, hidden=32, mlp=64, heads=2, repeats=1, value=8, half=4, vocabulary=100)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Family:
    examples = [Example(decoder_spec(sizes), config_of(sizes)) for sizes in (SMALL, WIDE)]
    variant = Variant("ToyForCausalLM", derived_template(*examples), switches={"flag": True})
    body = Variant("ToyModel", variant.template, takes_heads=True)
    family = Family("toy", ("toy",), "model.", ((r"^old\.", ""),), (variant, body))
    family = family_from_json(json.loads(json.dumps(family_to_json(family))))
    monkeypatch.setattr(choose, "index", lambda: {"toy": {"model_types": ["toy"], "landmarks": []}})
    monkeypatch.setattr(choose, "load_family", lambda _: family)
    return family


def shapes_at(sizes: Decoder, prefix: str = "") -> dict[str, tuple[int, ...]]:
    return {f"{prefix}{name}": shape for name, shape in stored_shapes(decoder_spec(sizes)).items()}


def test_a_checkpoint_gets_the_spec_that_its_network_has() -> None:
    spec = choose.family_spec(shapes_at(OTHER), config_of(OTHER))
    wanted = decoder_spec(OTHER)
    assert spec is not None
    assert spec.tier == "family"
    assert {n: a for n, a in wanted.atoms.items() if a.size > 1} == {n: a for n, a in spec.atoms.items() if a.size > 1}
    assert stored_shapes(spec) == stored_shapes(wanted)


def test_the_rules_are_read_off_two_networks(toy: Family) -> None:
    rules = toy.variants[0].template.sizes
    assert rules["layers.#.q.heads"] == "num_key_value_heads | num_attention_heads"
    assert rules["layers.#.q.head_dim"] == "head_dim / 2 | hidden_size / num_attention_heads / 2"
    assert toy.variants[0].template.depths == {"layers.": "num_hidden_layers"}


@pytest.mark.parametrize("prefix", ["", "model.", "module.", "module.model.", "_orig_mod.", "old."])
def test_prefixes_do_not_matter(prefix: str) -> None:
    shapes = shapes_at(WIDE, prefix)
    spec = choose.family_spec(shapes, config_of(WIDE))
    assert spec is not None
    assert stored_shapes(spec) == shapes
    assert f"{prefix}layers.6.up.out" in spec.atoms


def test_a_config_alone_gives_the_shapes() -> None:
    assert choose.family_shapes(config_of(WIDE)) == shapes_at(WIDE)


def test_an_unknown_type_is_declined() -> None:
    assert choose.family_spec(shapes_at(WIDE), {**config_of(WIDE), "model_type": "another"}) is None
    assert choose.family_spec(shapes_at(WIDE), {}) is None


def test_another_flag_is_another_function(monkeypatch: pytest.MonkeyPatch, toy: Family) -> None:
    alone = Family(toy.name, toy.model_types, toy.prefix, toy.renames, toy.variants[:1])
    monkeypatch.setattr(choose, "load_family", lambda _: alone)
    assert choose.family_spec(shapes_at(WIDE), config_of(WIDE)) is not None
    assert choose.family_spec(shapes_at(WIDE), {**config_of(WIDE), "flag": False}) is None


@pytest.mark.parametrize("name", ["layers.3.norm.weight", "layers.7.up.weight", "adapter.weight", "layers.0.up.bias"])
def test_a_tensor_that_may_change_the_function_is_declined(name: str) -> None:
    assert choose.family_spec({**shapes_at(WIDE), name: (17,)}, config_of(WIDE)) is None


def test_a_missing_weight_is_declined() -> None:
    shapes = shapes_at(WIDE)
    del shapes["layers.3.up.weight"]
    assert choose.family_spec(shapes, config_of(WIDE)) is None


def test_an_unknown_head_is_frozen() -> None:
    shapes = {**shapes_at(WIDE), "classifier.weight": (3, 12), "classifier.bias": (3,)}
    spec = choose.family_spec(shapes, config_of(WIDE))
    assert spec is not None
    assert stored_shapes(spec) == shapes
    assert all(spec.why_frozen(axis) for axis in spec.tensors["classifier.weight"])
    assert spec.notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 24}, r"tensor \S+ has 12 indices along embed.out, config.json says hidden_size = 24"),
        ({"num_key_value_heads": 3}, r"tensor layers\.0\.\w\.weight"),
        ({"num_hidden_layers": 9}, r"tensor layers\.6\.\w+\.weight is of the last layer, but config.json says 9"),
    ],
)
def test_a_config_of_another_checkpoint_is_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(CheckpointRefusedError, match=message):
        choose.family_spec(shapes_at(WIDE), {**config_of(WIDE), **change})


def test_a_shape_that_does_not_fit_is_refused() -> None:
    shapes: Shapes = {**shapes_at(WIDE), "layers.2.down.weight": (12, 18)}
    with pytest.raises(CheckpointRefusedError, match=r"tensor layers\.2\.(down|up)\.weight has shape"):
        choose.family_spec(shapes, config_of(WIDE))
