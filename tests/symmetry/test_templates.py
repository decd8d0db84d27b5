"""One spec of a small network stands for its architecture at any depth and width."""

from dataclasses import replace

import pytest
from transformer_specs import Decoder, decoder_spec

from wembed.errors import CheckpointRefusedError
from wembed.symmetry.repeat import depths_in, repeated, stacks_of
from wembed.symmetry.resize import solved_sizes
from wembed.symmetry.rules import evaluate
from wembed.symmetry.stacks import stored_shapes
from wembed.symmetry.templates import Template, check_repeats, deepen, shapes_of, spec_of

SMALL = Decoder(layers=5)


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6, 33])
def test_a_spec_of_any_depth_comes_from_that_of_five_layers(depth: int) -> None:
    deep = decoder_spec(replace(SMALL, layers=depth))
    assert deepen(decoder_spec(SMALL), stored_shapes(deep)).hash == deep.hash


def test_layers_keep_their_order() -> None:
    deep = decoder_spec(replace(SMALL, layers=12))
    names = [layer.name for layer in repeated(decoder_spec(SMALL), {"layers.": 12}).layers]
    assert names == [layer.name for layer in deep.layers]


RULES = {
    "embed.vocabulary": "vocab_size",
    "embed.out": "hidden_size",
    "layers.#.q.heads": "num_key_value_heads | num_attention_heads",
    "layers.#.q.repeats": "num_attention_heads / num_key_value_heads | 1",
    "layers.#.q.head_dim": "head_dim / 2",
    "layers.#.v.head_dim": "value_dim",
    "layers.#.up.out": "intermediate_size",
}
CONFIG = {
    "vocab_size": 31,
    "hidden_size": 16,
    "num_key_value_heads": 4,
    "num_attention_heads": 12,
    "head_dim": 6,
    "value_dim": 7,
    "intermediate_size": 9,
    "num_hidden_layers": 8,
}


def test_a_config_alone_gives_the_spec_and_the_shapes() -> None:
    template = Template(decoder_spec(SMALL), {"layers.": "num_hidden_layers"}, RULES)
    wide = decoder_spec(Decoder(8, hidden=16, mlp=9, heads=4, repeats=3, value=7, half=3, vocabulary=31))
    assert spec_of(template, CONFIG).hash == wide.hash
    assert shapes_of(template, CONFIG) == stored_shapes(wide)


def test_a_factor_of_one_leaves_its_products() -> None:
    template = Template(decoder_spec(SMALL), {"layers.": "num_hidden_layers"}, RULES)
    spec = spec_of(template, {**CONFIG, "num_key_value_heads": 12})
    assert "layers.3.q.repeats" not in spec.atoms
    assert shapes_of(template, CONFIG | {"num_key_value_heads": 12})["layers.3.q.weight"] == (72, 16)


def test_where_all_queries_share_one_key_its_repeats_are_the_heads() -> None:
    template = Template(decoder_spec(SMALL), {"layers.": "num_hidden_layers"}, RULES)
    spec = spec_of(template, {**CONFIG, "num_key_value_heads": 1})
    assert spec.sizes["layers.3.q.heads"] == 12
    assert "layers.3.q.repeats" not in spec.atoms
    assert spec.atoms["layers.3.v.head_dim"].under == ""
    assert spec.tensors["layers.3.v.weight"] == ("layers.3.v.head_dim", "embed.out")


def test_a_config_without_a_size_is_said_so() -> None:
    template = Template(decoder_spec(SMALL), {"layers.": "num_hidden_layers"}, RULES)
    with pytest.raises(ValueError, match=r"no size for layers\.0\.v\.head_dim"):
        spec_of(template, {key: value for key, value in CONFIG.items() if key != "value_dim"})
    with pytest.raises(ValueError, match="num_hidden_layers is no number of layers"):
        spec_of(template, CONFIG | {"num_hidden_layers": 0})


def test_a_shape_that_does_not_fit_is_named() -> None:
    shapes = stored_shapes(decoder_spec(replace(SMALL, layers=6)))
    shapes["layers.4.down.weight"] = (10, 15)
    with pytest.raises(CheckpointRefusedError, match=r"tensor layers\.4\.down\.weight has shape \[10, 15\]"):
        deepen(decoder_spec(SMALL), shapes)


def test_a_head_count_that_does_not_divide_is_refused() -> None:
    spec = decoder_spec(Decoder(layers=5, heads=3))
    with pytest.raises(CheckpointRefusedError, match=r"tensor layers\.0\.[qkvo]\.weight"):
        solved_sizes(spec.tensors, stored_shapes(spec), {"layers.0.q.heads": 7})


def test_a_missing_tensor_is_named() -> None:
    shapes = stored_shapes(decoder_spec(replace(SMALL, layers=6)))
    del shapes["layers.5.up.weight"]
    with pytest.raises(ValueError, match=r"tensor layers\.5\.up\.weight"):
        deepen(decoder_spec(SMALL), shapes)


def test_a_spec_whose_layers_differ_is_no_template() -> None:
    spec = decoder_spec(SMALL)
    atoms = {**spec.atoms, "layers.3.up.out": replace(spec.atoms["layers.3.up.out"], frozen="model output")}
    with pytest.raises(ValueError, match="does not repeat"):
        check_repeats(replace(spec, atoms=atoms), ["layers."])


def test_stacks_are_found_where_their_middle_units_agree() -> None:
    names = [f"a.{i}.w" for i in range(5)] + [f"b.{i}.w" for i in range(4)] + [f"c.{i}.w{i}" for i in range(6)]
    names += [f"stages.{i}.blocks.{j}.w" for i in range(5) for j in range(6)] + ["a.0.first"]
    assert stacks_of(names) == {"a.": 5} | {f"stages.{i}.blocks.": 6 for i in range(5)}
    assert depths_in(["a.0.w", "a.17.w", "ab.99.w"], ["a."]) == {"a.": 18}


@pytest.mark.parametrize(
    ("rule", "size"),
    [
        ("a", 12),
        ("missing | a", 12),
        ("a / b", 4),
        ("a / b * 0.5", 2),
        ("4 * a", 48),
        ("1 - share * c", 48),
        ("deep.list.1", 7),
        ("deep.list.2", None),
        ("flag", None),
        ("a / zero", None),
        ("text", None),
    ],
)
def test_rules_read_a_config(rule: str, size: int | None) -> None:
    config = {"a": 12, "b": 3, "c": 80, "share": 0.4, "zero": 0, "deep": {"list": [5, 7]}, "flag": True, "text": "12"}
    assert evaluate(rule, config) == size
