"""A spec is checked when it is made, and what is read as a spec is not trusted."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from networks import Plan, random_weights, spec_of

from wembed.errors import NotFoundError, WembedError
from wembed.symmetry import Atom, Layer, Site, SymmetrySpec, load_spec, save_spec
from wembed.symmetry.serialise import spec_from_json, spec_to_json


@pytest.fixture(scope="module")
def spec() -> SymmetrySpec:
    plan = Plan(3, (4, 5), 2, norm="after")
    return spec_of(plan, random_weights(plan, np.random.default_rng(0)))


@pytest.fixture
def data(spec) -> dict:
    return json.loads(json.dumps(spec_to_json(spec)))


def _with_layer(spec, place: int, **changes) -> None:
    layers = list(spec.layers)
    layers[place] = replace(layers[place], **changes)
    replace(spec, layers=tuple(layers))


def test_tensor_with_an_unknown_atom_is_refused(spec):
    with pytest.raises(ValueError, match=r"tensor x uses atom 'ghost', which is not there"):
        replace(spec, tensors={**spec.tensors, "x": ("ghost",)})


def test_site_with_an_unknown_atom_is_refused(spec):
    with pytest.raises(ValueError, match=r"site x uses atom 'ghost', which is not there"):
        replace(spec, sites={**spec.sites, "x": Site("x", "ghost")})


def test_unknown_activation_is_refused_with_the_known_ones(spec):
    with pytest.raises(ValueError, match=r"site x has activation 'swoosh', known are relu, leaky_relu, "):
        replace(spec, sites={**spec.sites, "x": Site("x", "0.out", "swoosh")})


def test_slope_that_is_no_vector_of_its_site_is_refused(spec):
    with pytest.raises(ValueError, match=r"site x: its slope '0.weight' is no vector along 0.out"):
        replace(spec, sites={**spec.sites, "x": Site("x", "0.out", "prelu", "0.weight")})


def test_layer_with_an_unknown_site_is_refused(spec):
    with pytest.raises(ValueError, match=r"layer 0 uses site 'ghost', which is not there"):
        _with_layer(spec, 0, source="ghost")


def test_layer_with_an_unknown_tensor_is_refused(spec):
    with pytest.raises(ValueError, match=r"layer 0 uses tensor 'ghost' as weight, which is not there"):
        _with_layer(spec, 0, tensors={"weight": "ghost"})


def test_layer_whose_bias_lies_along_another_axis_is_refused(spec):
    with pytest.raises(ValueError, match=r"layer 0: 3.bias is no vector along 0.out"):
        _with_layer(spec, 0, tensors={"weight": "0.weight", "bias": "3.bias"})


def test_layer_that_writes_another_axis_is_refused(spec):
    with pytest.raises(ValueError, match=r"layer 0: writes 0.out to a site along 3.out"):
        _with_layer(spec, 0, target="3.out", tensors={"weight": "0.weight"})


def test_layer_that_reads_another_axis_is_refused(spec):
    with pytest.raises(ValueError, match=r"layer 3: reads 0.out from a site along input"):
        _with_layer(spec, 2, source="input")


@pytest.mark.parametrize(
    "layout", [(), ("target",), ("target", "target"), ("source", "tap"), ("target", "source", "tap")]
)
def test_layout_that_does_not_describe_the_weight_is_refused(spec, layout):
    with pytest.raises(ValueError, match=r"layer 0: layout .* does not describe a weight of 2 axes"):
        _with_layer(spec, 0, layout=layout)


def test_batch_norm_without_its_statistics_is_refused(spec):
    with pytest.raises(ValueError, match=r"a batch_norm has bias, running_mean, running_var, weight"):
        _with_layer(spec, 1, tensors={"weight": "2.weight", "bias": "2.bias"})


def test_tier_and_notes_are_no_part_of_the_hash(spec):
    assert replace(spec, tier="inferred", notes=("x",)).hash == spec.hash


def test_frozen_atom_changes_the_hash(spec):
    frozen = {**spec.atoms, "0.out": Atom("0.out", 4, "hidden", "because")}
    assert replace(spec, atoms=frozen).hash != spec.hash


def test_empty_spec_is_legal():
    empty = SymmetrySpec("given", {}, {}, {}, ())
    assert not empty.has_free
    assert empty.free_share() == 0.0
    assert empty.architecture == ""
    assert empty.rows() == []


def test_rows_say_what_may_be_done_with_every_group(spec):
    rows = {row["group"]: row for row in spec.rows()}
    assert rows["input"]["why"] == "model input"
    assert rows["6.out"]["why"] == "model output"
    assert rows["0.out"]["free"]
    assert rows["0.out"]["scale"] == "positive,real"
    assert rows["0.out"]["tensors"][:2] == ["0.weight", "0.bias"]


def test_share_of_free_indices_counts_every_tensor(spec):
    # 0: 4 x 3, 4; 2: four of 4; 3: 5 x 4, 5; 5: four of 5; 6: 2 x 5, 2
    free, frozen = 4 + 4 + 16 + 5 + 4 + 5 + 20 + 5, 3 + 2 + 2
    assert spec.free_share() == pytest.approx(free / (free + frozen))


def test_architecture_is_told_from_the_layers(spec):
    plan = Plan(2, (4, 3), 2, kernels=(3,))
    assert spec.architecture == "mlp"
    assert spec_of(plan, random_weights(plan, np.random.default_rng(0))).architecture == "cnn"


@pytest.mark.parametrize("value", [None, [], "spec", 3, {}, {"format": 3}, {"format": "2"}])
def test_other_json_is_no_spec(value):
    with pytest.raises(ValueError, match="this is no spec of format 2"):
        spec_from_json(value)


@pytest.mark.parametrize("part", ["tier", "atoms", "tensors", "sites", "layers"])
def test_missing_part_is_refused(data, part):
    del data[part]
    with pytest.raises(ValueError, match=f"a part is missing or of the wrong type: '{part}'"):
        spec_from_json(data)


@pytest.mark.parametrize("part", ["atoms", "tensors", "sites", "layers", "notes"])
@pytest.mark.parametrize("value", [3, None, True])
def test_part_of_another_type_is_refused(data, part, value):
    data[part] = value
    with pytest.raises(ValueError, match="a part is missing or of the wrong type"):
        spec_from_json(data)


@pytest.mark.parametrize("size", [-1, True, 2.5, "3", None, [3]])
def test_size_that_is_no_count_is_refused(data, size):
    data["atoms"]["0.out"]["size"] = size
    with pytest.raises(ValueError, match=r"atom 0\.out has size"):
        spec_from_json(data)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("tier",), "guessed", "'guessed' is none of traced, family, given, inferred"),
        (("atoms", "0.out", "kind"), "odd", "'odd' is none of input, output, hidden, spatial"),
        (("tensors", "0.weight"), ["0.out", "ghost"], "tensor 0.weight uses atom 'ghost', which is not there"),
        (("tensors", "0.weight"), [3, 4], "an axis is a name, a product or a sum, found 3"),
        (("tensors", "0.weight"), 3, "the axes of tensor 0.weight are no list"),
        (("sites", "0.out", "activation"), "swoosh", "site 0.out has activation 'swoosh'"),
        (("sites", "0.out"), [], "a part is missing or of the wrong type"),
        (("layers", 0), 3, "a part is missing or of the wrong type"),
        (("layers", 0, "kind"), "odd", "'odd' is none of dense, depthwise, gain, batch_norm, vector"),
        (("layers", 0, "layout"), "target", "layer '0' is malformed"),
        (("layers", 0, "layout"), ["odd", "source"], "'odd' is none of target, source, tap"),
        (("layers", 0, "tensors"), ["0.weight"], "layer '0' is malformed"),
        (("layers", 0, "eps"), "small", "layer '0' is malformed"),
        (("layers", 0, "eps"), float("nan"), "layer 0 has eps nan"),
        (("layers", 0, "eps"), -5, "layer 0 has eps -5"),
        (("layers", 0, "kind"), [], r"\[\] is none of dense"),
    ],
)
def test_hostile_value_is_refused_by_name(data, where, value, message):
    inner = data
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(ValueError, match=message):
        spec_from_json(data)


def test_every_cut_of_the_data_is_a_value_error_or_a_spec(data):
    """Each leaf in turn is replaced by values of other types: no other exception may come out."""
    for where in _leaves(data):
        for value in (None, -1, "", [], {}, True, 1e300):
            changed = copy.deepcopy(data)
            inner = changed
            for key in where[:-1]:
                inner = inner[key]
            inner[where[-1]] = value
            try:
                spec_from_json(changed)
            except ValueError:
                continue


def _leaves(value, head=()):
    if isinstance(value, dict | list) and value:
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _leaves(value[key], (*head, key))
    elif head:
        yield head


def test_missing_spec_file_is_named(tmp_path):
    with pytest.raises(NotFoundError, match=r"no spec file at .*nowhere\.json") as caught:
        load_spec(tmp_path / "nowhere.json")
    assert "wembed inspect CKPT --save SPEC.json" in caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', "\x00"])
def test_file_that_is_no_spec_is_refused(tmp_path, text):
    path = tmp_path / "spec.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WembedError, match=r"spec\.json is no spec file: "):
        load_spec(path)


def test_deeply_nested_spec_file_is_refused(tmp_path):
    path = tmp_path / "spec.json"
    path.write_text("[" * 200_000, encoding="utf-8")
    with pytest.raises(WembedError, match=r"spec\.json is no spec file: "):
        load_spec(path)


def test_binary_file_is_no_spec(tmp_path):
    path = tmp_path / "spec.json"
    path.write_bytes(b"\xff\xfe\x80")
    with pytest.raises(WembedError, match=r"spec\.json is no spec file: "):
        load_spec(path)


def test_spec_that_cannot_be_written_says_why(spec, tmp_path):
    with pytest.raises(WembedError, match=r"cannot write .*spec\.json: No such file or directory"):
        save_spec(spec, tmp_path / "missing" / "spec.json")


def test_layer_name_is_kept(spec):
    assert [layer.name for layer in spec.layers] == ["0", "2", "3", "5", "6"]
    assert all(isinstance(layer, Layer) for layer in spec.layers)
