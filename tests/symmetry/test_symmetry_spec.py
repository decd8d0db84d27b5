"""A spec is checked when it is made, and what is read as a spec is not trusted."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import Plan, random_weights, spec_of

from wembed.checkpoint import in_memory
from wembed.encoder import load_encoder
from wembed.errors import NotFoundError, WembedError
from wembed.symmetry import (
    Action,
    Atom,
    Layer,
    Site,
    SymmetrySpec,
    apply_action,
    load_spec,
    random_continuous_action,
    save_spec,
)
from wembed.symmetry.axes import Axis, Product, Sum, axis_from_json, axis_size, axis_to_json
from wembed.symmetry.fit import check_fit
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


def heads(**changes) -> SymmetrySpec:
    """A fused q|k|v with two query heads for each of two key heads, and an output matrix; parts may be changed."""
    atoms = [Atom("stream", 8, "input", "model input"), Atom("kv", 2, "hidden"), Atom("rep", 2, "hidden", "", "kv")]
    atoms += [Atom("d", 3, "hidden", "", "kv"), Atom("v", 3, "hidden", "", "kv")]
    queries, keys, values = Product(("kv", "rep", "d")), Product(("kv", "d")), Product(("kv", "v"))
    sites = [Site("stream", "stream", fixed=True), Site("q", keys, "scores"), Site("k", keys, "scores", dual="q")]
    sites += [Site("v", values, "attention"), Site("out", "stream", fixed=True)]
    layers = tuple(
        Layer(name, "dense", "stream", name, {"weight": "qkv"}, ("target", "source"), target_part=(part,))
        for part, name in enumerate("qkv")
    )
    parts = {
        "tier": "given",
        "atoms": {atom.name: atom for atom in atoms},
        "tensors": {"qkv": (Sum((queries, keys, values)), "stream"), "o": ("stream", Product(("kv", "rep", "v")))},
        "sites": {site.name: site for site in sites},
        "layers": (*layers, Layer("o", "dense", "v", "out", {"weight": "o"}, ("target", "source"))),
    }
    return SymmetrySpec(**(parts | changes))


def with_atom(name: str, **changes) -> dict[str, Atom]:
    return heads().atoms | {name: replace(heads().atoms[name], **changes)}


def with_site(name: str, **changes) -> dict[str, Site]:
    return heads().sites | {name: replace(heads().sites[name], **changes)}


def test_heads_survive_the_round_trip():
    assert spec_from_json(json.loads(json.dumps(spec_to_json(heads())))) == heads()


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (with_atom("d", under="ghost"), "atom d is under 'ghost', which is not there"),
        (with_atom("kv", under="kv"), "atom kv is under kv, which is under kv itself"),
        (with_atom("kv", under="d"), "atom kv is under d, which is under kv itself"),
        (with_atom("d", under="rep"), "atom d is under rep, which is under kv itself"),
    ],
)
def test_atoms_above_each_other_are_refused(atoms, message):
    with pytest.raises(ValueError, match=message):
        heads(atoms=atoms)


@pytest.mark.parametrize(
    "axes",
    [
        ("d",),  # a norm's gain for all heads
        (Sum((Product(("kv", "d")), "d")),),
        (Sum(("kv", "stream")), "d"),
        ("kv", "kv", "d"),
        (Product(("kv", "kv", "d")),),
    ],
)
def test_atom_that_stands_without_the_one_above_it_is_refused(axes):
    """What is permuted by head needs one head beside it, wherever it stands."""
    with pytest.raises(ValueError, match=r"tensor x holds atom d without kv, which it is under"):
        heads(tensors=heads().tensors | {"x": axes})


@pytest.mark.parametrize(
    "axes", [(Product(("kv", "d")),), ("kv", "d"), ("kv", Sum(("d", "d"))), (Product(("kv", "d")),) * 2]
)
def test_atom_that_stands_with_the_one_above_it_is_accepted(axes):
    heads(tensors=heads().tensors | {"x": axes})


def test_frozen_atom_may_stand_without_the_one_above_it():
    heads(tensors=heads().tensors | {"x": ("d",)}, atoms=with_atom("d", frozen="rotary"))


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        (with_site("k", dual="k"), "site k: its dual 'k' is no site of its own"),
        (with_site("q", dual="k"), "its dual '[qk]' is no site of its own"),
        (with_site("k", dual="ghost"), "site k: its dual 'ghost' is no site of its own"),
        (with_site("k", dual="v"), "site k and its dual v lie along different axes"),
        (with_site("k", activation="rotary"), "site k and its dual q allow different factors"),
        (with_site("q", fixed=True), "site k and its dual q allow different factors"),
    ],
)
def test_duals_that_do_not_fit_are_refused(sites, message):
    with pytest.raises(ValueError, match=message):
        heads(sites=sites)


def test_matrix_is_no_vector_that_repeats_its_site():
    layers = heads().layers
    with pytest.raises(ValueError, match="layer o: o is no vector along stream"):
        heads(layers=(*layers[:3], replace(layers[3], kind="vector")))


def test_matrix_is_no_bias():
    layers = heads().layers
    biased = replace(layers[0], tensors={"weight": "qkv", "bias": "o"}, target_part=(0,))
    with pytest.raises(ValueError, match="layer q: o is no vector along kv x d"):
        heads(layers=(biased, *layers[1:3]))


def test_site_that_has_an_atom_twice_is_refused():
    with pytest.raises(ValueError, match="site v has an atom twice, along kv x kv"):
        heads(sites=with_site("v", axis=Product(("kv", "kv"))))


@pytest.mark.parametrize("part", [(), (3,), (-1,), (0, 0), (10**30,)])
def test_part_that_is_not_there_is_refused(part):
    layers = heads().layers
    with pytest.raises(ValueError, match=r"has no part \["):
        heads(layers=(replace(layers[0], target_part=part), *layers[1:]))


def test_one_part_in_two_layers_is_refused():
    layers = heads().layers
    with pytest.raises(ValueError, match="tensor 'qkv' stands in two layers"):
        heads(layers=(*layers, replace(layers[0], name="again")))


@pytest.mark.parametrize(
    ("stacks", "message"),
    [
        ({"ghost": ("a", "b")}, "stack 'ghost' is no tensor of the spec"),
        ({"e": ("a",)}, "stack 'e' has 1 members, expected one for each index of its first axis"),
        ({"e": ("a", "a")}, "stack member 'a' stands twice in the spec"),
        ({"e": ("a", "o")}, "stack member 'o' stands twice in the spec"),
        ({"e": ("a", "e")}, "stack member 'e' stands twice in the spec"),
        ({"e": ("a", "b"), "f": ("b", "c")}, "stack member 'b' stands twice in the spec"),
    ],
)
def test_stacks_that_do_not_fit_are_refused(stacks, message):
    tensors = heads().tensors | {name: ("kv", Product(("rep", "d"))) for name in "ef"}
    with pytest.raises(ValueError, match=message):
        heads(tensors=tensors, stacks=stacks)


def test_scalar_is_no_stack():
    with pytest.raises(ValueError, match="stack 'e' is no tensor of the spec"):
        heads(tensors=heads().tensors | {"e": ()}, stacks={"e": ("a",)})


def test_sizes_that_would_overflow_are_told_exactly():
    sizes = {"a": 2**40, "b": 2**40, "c": 6 * pow(3, -1, 2**64), "three": 3}
    assert axis_size(Product(("a", "b")), sizes) == 2**80
    assert axis_size(Product(("three", "c")), sizes) != 6  # as it would be in 64 bits


def test_axis_of_more_parts_than_can_be_listed_is_refused():
    many = Product(tuple(Sum(("kv", "stream")) for _ in range(60)))
    with pytest.raises(ValueError, match="tensor x has an axis of more than 4096 parts"):
        heads(tensors=heads().tensors | {"x": (many,)})


def test_every_cut_of_a_spec_with_heads_is_a_value_error_or_a_spec():
    data = spec_to_json(heads(stacks={"o": tuple(f"o.{i}" for i in range(8))}))
    data = json.loads(json.dumps(data))
    test_every_cut_of_the_data_is_a_value_error_or_a_spec(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["kv", "qkv", "q"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data(), JSON)
def test_any_part_replaced_by_any_json_is_a_value_error_or_a_spec(source, value):
    """Not only leaves: whole lists and objects are replaced, or taken out."""
    data = json.loads(json.dumps(spec_to_json(heads())))
    inner, keys = data, []
    while isinstance(inner, dict | list) and inner and (not keys or source.draw(st.integers(0, 3))):
        keys.append(source.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner)))))
        parent, inner = inner, inner[keys[-1]]
    if source.draw(st.booleans()):
        parent[keys[-1]] = value
    else:
        del parent[keys[-1]]
    try:
        spec = spec_from_json(data)
    except ValueError:
        return
    assert spec_from_json(spec_to_json(spec)) == spec


CUTS = (None, -1, "", "kv", "q", "v", "none", "sign", "real", [], [1], True, 1)


@given(st.data())
def test_a_spec_that_is_accepted_can_be_acted_with_or_is_refused_in_words(source):
    """One leaf is replaced; what still fits the weights is applied, made canonical and embedded without a crash."""
    data = json.loads(json.dumps(spec_to_json(heads())))
    where = source.draw(st.sampled_from(sorted(_leaves(data), key=str)))
    inner = data
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = source.draw(st.sampled_from(CUTS))
    draw = np.random.default_rng(0).normal
    checkpoint = in_memory({"qkv": draw(size=(24, 8)), "o": draw(size=(8, 12))})
    try:
        spec = spec_from_json(data)
        check_fit(spec, checkpoint)
    except (ValueError, WembedError):
        return
    shapes = {name: array.shape for name, array in apply_action(_whole(spec), spec, checkpoint.read)}
    assert shapes == {"qkv": (24, 8), "o": (8, 12)}
    (found,) = load_encoder("fingerprint").embed([(checkpoint, spec)])
    assert np.isfinite(found).all()


def _whole(spec: SymmetrySpec) -> Action:
    return random_continuous_action(spec, np.random.default_rng(1))


AXES = st.recursive(
    st.sampled_from(["kv", "rep", "d"]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        .map(tuple)
        .flatmap(lambda parts: st.sampled_from([Product(parts), Sum(parts)]))
    ),
    max_leaves=8,
)


@given(AXES)
def test_any_axis_survives_the_round_trip_or_is_too_deep(axis):
    try:
        assert axis_from_json(json.loads(json.dumps(axis_to_json(axis)))) == axis
    except ValueError as error:
        assert "nested more than 8 deep" in str(error)
        assert depth(axis) > 8


def depth(axis: Axis) -> int:
    if isinstance(axis, str):
        return 0
    return 1 + max(map(depth, axis.factors if isinstance(axis, Product) else axis.terms))
