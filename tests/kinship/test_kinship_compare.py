"""Verdicts: same up to symmetry and rounding, derived, unrelated; and what they rest on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import Plan, random_weights, read_all, spec_of, write_chain

from wembed.checkpoint import in_memory, open_checkpoint, write_safetensors
from wembed.kinship import compare, tensor_hashes, why
from wembed.symmetry import find_spec, permute

PLANS = {
    "relu": Plan(8, (16, 12), 4),
    "tanh": Plan(8, (16, 12), 4, activation="tanh"),
    "gelu": Plan(8, (16, 12), 4, activation="gelu"),
    "norm before": Plan(8, (16, 12), 4, norm="before"),
    "norm after": Plan(8, (16, 12), 4, norm="after"),
    "convolutions": Plan(2, (6, 8, 12), 4, kernels=(3, 3), norm="before", pooled=frozenset({0})),
}
PLAN = PLANS["relu"]


def chain(tmp_path, plan=PLAN, seed=0, name="first", dtype=torch.float32):
    arrays = random_weights(plan, np.random.default_rng(seed))
    return write_chain(plan, arrays, tmp_path / f"{name}.safetensors", dtype)


def shuffled(network, tmp_path, name="copy", seed=5):
    path = tmp_path / f"{name}.safetensors"
    permute(network.checkpoint, network.spec, path, np.random.default_rng(seed), rescale=network.spec.has_scales)
    return open_checkpoint(path), network.spec


def moved(network, change, tmp_path, seed=2):
    generator = np.random.default_rng(seed)
    arrays = {
        name: (values + change * np.std(values) * generator.normal(size=values.shape)).astype(np.float32)
        for name, values in read_all(network.checkpoint).items()
        if values.dtype.kind == "f"
    }
    return write_chain(network.plan, arrays, tmp_path / "moved.safetensors")


def compared(first, second, strangers=()):
    return compare(first, second, strangers, np.random.default_rng(0))


def strangers(tmp_path, count, plan=PLAN):
    return [chain(tmp_path, plan, 100 + seed, f"stranger{seed}").item for seed in range(count)]


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_shuffled_and_rescaled_copy_is_the_same(plan, tmp_path):
    first = chain(tmp_path, plan)
    found = compared(first.item, shuffled(first, tmp_path))
    assert (found.verdict, found.p_value, found.method) == ("same", None, "equal")
    assert all(layer.identical for layer in found.layers)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("plan", [PLANS["relu"], PLANS["norm before"]])
def test_a_shuffled_copy_in_fewer_bits_is_the_same(plan, dtype, tmp_path):
    first = chain(tmp_path, plan)
    checkpoint, spec = shuffled(first, tmp_path)
    arrays = read_all(checkpoint)
    second = write_chain(plan, arrays, tmp_path / "half.safetensors", dtype)
    assert compared(first.item, (second.checkpoint, spec)).verdict == "same"


def test_a_bias_that_differs_is_not_the_same(tmp_path):
    first = chain(tmp_path)
    arrays = read_all(first.checkpoint)
    arrays["2.bias"] = arrays["2.bias"] + np.float32(1e-3)
    found = compared(first.item, write_chain(PLAN, arrays, tmp_path / "other.safetensors").item)
    assert found.verdict == "derived"
    assert [layer.layer for layer in found.layers if not layer.identical] == ["2"]


def test_a_running_statistic_that_differs_is_not_the_same(tmp_path):
    plan = PLANS["norm before"]
    first = chain(tmp_path, plan)
    arrays = read_all(first.checkpoint)
    arrays["1.running_mean"] = arrays["1.running_mean"] + np.float32(0.01)
    assert compared(first.item, write_chain(plan, arrays, tmp_path / "o.safetensors").item).verdict == "derived"


@pytest.mark.parametrize("change", [0.01, 0.3, 1.0])
def test_a_network_that_was_moved_is_derived(change, tmp_path):
    first = chain(tmp_path)
    found = compared(first.item, moved(first, change, tmp_path).item)
    assert (found.verdict, found.method) == ("derived", "order")
    assert found.p_value < 1e-3


def test_a_stranger_is_unrelated(tmp_path):
    found = compared(chain(tmp_path).item, chain(tmp_path, seed=1, name="second").item, strangers(tmp_path, 6))
    assert found.verdict == "unrelated"
    assert (found.method, found.strangers) == ("strangers", 6)
    assert found.p_value > 1e-3


def test_strangers_tell_a_shuffled_child(tmp_path):
    first = chain(tmp_path)
    child = shuffled(moved(first, 0.3, tmp_path), tmp_path)
    found = compared(first.item, child, strangers(tmp_path, 12))
    assert (found.verdict, found.method, found.strangers) == ("derived", "strangers", 12)
    assert found.p_value < 1e-3


def test_strangers_of_another_structure_do_not_count(tmp_path):
    others = strangers(tmp_path, 12, Plan(8, (16, 13), 4))
    found = compared(chain(tmp_path).item, chain(tmp_path, seed=1, name="second").item, others)
    assert (found.method, found.strangers) == ("order", 0)


def test_kin_among_the_strangers_do_not_count_and_that_is_said(tmp_path):
    first = chain(tmp_path)
    child, other = (shuffled(moved(first, 0.1, tmp_path, seed), tmp_path, f"child{seed}", seed) for seed in (2, 3))
    in_order = moved(first, 0.5, tmp_path, 4)
    found = compared(first.item, child, [in_order.item, *strangers(tmp_path, 12), other])
    assert (found.verdict, found.method, found.strangers) == ("derived", "strangers", 12)
    assert found.notes == ("strangers that turned out to be kin of the pair and do not count: 2",)


def test_where_too_few_are_left_without_kin_likeness_alone_is_judged(tmp_path):
    first = chain(tmp_path)
    kin = [moved(first, 0.5, tmp_path).item] * 3
    found = compared(first.item, shuffled(moved(first, 0.1, tmp_path), tmp_path), [*kin, *strangers(tmp_path, 3)])
    assert (found.verdict, found.method) == ("derived", "similarity")
    assert found.notes == (
        "strangers that turned out to be kin of the pair and do not count: 3",
        "judged by the similarity after matching alone",
    )


def test_networks_that_learned_something_else_are_no_strangers_and_that_is_said(tmp_path):
    first, second = chain(tmp_path), chain(tmp_path, seed=1, name="second")
    found = compare(first.item, second.item, (), np.random.default_rng(0), strangers(tmp_path, 6))
    assert (found.verdict, found.method, found.strangers) == ("unrelated", "order", 0)
    said = "they are not known to have learned from the data set of the pair"
    assert found.notes == (f"6 networks of their structure do not count as strangers: {said}",)


def test_nothing_is_derived_from_a_network_of_zeros(tmp_path):
    first = chain(tmp_path)
    arrays = {name: np.zeros_like(values) for name, values in read_all(first.checkpoint).items()}
    empty = write_chain(PLAN, arrays, tmp_path / "zeros.safetensors")
    found = compared(empty.item, first.item, strangers(tmp_path, 6))
    assert (found.verdict, found.p_value, found.method) == ("unrelated", None, "none")


def test_a_layer_whose_quantised_weights_differ_is_not_identical(tmp_path):
    stored = {name: ("F32", values) for name, values in read_all(chain(tmp_path).checkpoint).items()}
    items = []
    for number in (1, 2):
        path, weights = tmp_path / f"{number}.safetensors", np.full(stored["2.weight"][1].shape, number, np.int8)
        write_safetensors(path, {**stored, "2.weight": ("I8", weights)}, {})
        checkpoint = open_checkpoint(path)
        items.append((checkpoint, find_spec(checkpoint)))
    layers = why(*items, np.random.default_rng(0))
    assert {layer.layer: layer.identical for layer in layers} == {"0": True, "2": False, "4": True}


def test_without_strangers_a_shuffled_child_is_judged_by_similarity_and_that_is_said(tmp_path):
    first = chain(tmp_path)
    found = compared(first.item, shuffled(moved(first, 0.1, tmp_path), tmp_path))
    assert (found.verdict, found.method, found.p_value) == ("derived", "similarity", None)
    assert found.notes == ("no 5 strangers to test against: judged by the similarity after matching alone",)


def test_networks_that_are_too_large_are_compared_in_the_order_of_their_files_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("wembed.kinship.shared.LARGEST_MATCHED", 100)
    first = chain(tmp_path)
    found = compared(first.item, shuffled(moved(first, 0.1, tmp_path), tmp_path))
    assert found.verdict == "unrelated"
    said = (
        "neurons of networks with more than 16 million parameters are not matched: compared in the order of the files"
    )
    assert found.notes == (said,)


def test_a_shuffled_copy_is_the_same_though_it_is_too_large_to_be_matched(tmp_path, monkeypatch):
    monkeypatch.setattr("wembed.kinship.shared.LARGEST_MATCHED", 100)
    first = chain(tmp_path)
    assert compared(first.item, shuffled(first, tmp_path)).verdict == "same"


def test_strangers_that_are_too_large_to_be_matched_are_told(tmp_path, monkeypatch):
    first = chain(tmp_path)
    most = 4 * first.checkpoint.parameters
    monkeypatch.setattr("wembed.kinship.verdict._MOST_MATCHED", most)
    found = compared(first.item, shuffled(moved(first, 0.1, tmp_path), tmp_path), strangers(tmp_path, 6))
    assert found.method == "similarity"
    assert found.notes == (
        f"6 strangers are not matched: {most / 1e6:g} million parameters of them are at most",
        "judged by the similarity after matching alone",
    )


def test_layers_that_were_kept_are_told_from_those_that_were_not(tmp_path):
    first = chain(tmp_path)
    arrays = read_all(first.checkpoint)
    arrays["2.weight"] = arrays["2.weight"] + 0.5 * random_weights(PLAN, np.random.default_rng(9))["2.weight"]
    second = write_chain(PLAN, arrays, tmp_path / "child.safetensors")
    layers = {layer.layer: layer for layer in why(first.item, second.item, np.random.default_rng(0))}
    assert {name: layer.identical for name, layer in layers.items()} == {"0": True, "2": False, "4": True}
    assert layers["0"].similarity == 1.0
    assert 0.3 < layers["2"].change < 0.8


def test_a_new_head_leaves_the_rest_to_compare(tmp_path):
    first = chain(tmp_path)
    plan = replace(PLAN, outputs=9)
    arrays = read_all(first.checkpoint)
    arrays |= {
        name: values for name, values in random_weights(plan, np.random.default_rng(3)).items() if name[0] == "4"
    }
    found = compared(first.item, write_chain(plan, arrays, tmp_path / "head.safetensors").item)
    assert found.verdict == "derived"
    assert [layer.identical for layer in found.layers if layer.layer in "02"] == [True, True]
    assert found.notes[0].endswith("2 tensors are in one only or differ in shape")


def test_networks_without_a_common_tensor_are_unrelated_and_that_is_said(tmp_path):
    other = {"a.weight": np.ones((3, 2), np.float32), "b.weight": np.ones((2, 3), np.float32)}
    found = compared(chain(tmp_path).item, (in_memory(other, {}), spec_of_other(other)))
    assert (found.verdict, found.p_value, found.method, found.layers) == ("unrelated", None, "none", ())
    assert found.notes == ("they have no tensor of one name and shape",)


def spec_of_other(arrays):
    from wembed.symmetry import infer_spec

    return infer_spec({name: values.shape for name, values in arrays.items()})


def test_a_network_without_neurons_cannot_be_told_and_that_is_said(tmp_path):
    plan = Plan(8, (), 4)
    found = compared(chain(tmp_path, plan).item, chain(tmp_path, plan, 1, "second").item)
    assert (found.verdict, found.p_value) == ("unrelated", None)
    assert "no neurons are known to be interchangeable" in found.notes[0]


@pytest.mark.parametrize("bank", ["sines", "zeros", "constant"])
def test_a_table_that_was_set_is_no_kinship(bank, tmp_path):
    place, wave = np.arange(8.0), np.arange(16.0)
    tables = {
        "sines": np.sin(np.outer(np.arange(1, 17), np.linspace(0, 2 * np.pi, 40))),
        "zeros": np.where(np.abs(wave[:, None] / 2 - place) < 0.4, 1.0, 0.0),
        "constant": np.ones((16, 8)),
    }
    plan = replace(PLAN, inputs=tables[bank].shape[1])
    drawn = [random_weights(plan, np.random.default_rng(seed)) for seed in (0, 1)]
    both = [{**arrays, "0.weight": tables[bank].astype(np.float32)} for arrays in drawn]
    items = [(in_memory(arrays, {}), spec_of(plan, arrays)) for arrays in both]
    assert compared(*items).verdict == "unrelated"


def test_few_values_of_a_short_bias_do_not_make_it_a_table(tmp_path):
    plan = Plan(8, (8,), 4)
    first = chain(tmp_path, plan)
    arrays = read_all(first.checkpoint)
    arrays["0.weight"] = arrays["0.weight"] + np.float32(1e-3) * np.arange(8, dtype=np.float32)
    found = compared(first.item, write_chain(plan, arrays, tmp_path / "child.safetensors").item)
    assert (found.verdict, found.method) == ("derived", "order")


def test_a_tensor_that_strangers_have_too_is_no_kinship(tmp_path):
    def with_bank(seed):
        arrays = random_weights(PLAN, np.random.default_rng(seed))
        arrays["0.weight"] = random_weights(PLAN, np.random.default_rng(77))["0.weight"]
        return in_memory(arrays, {}), spec_of(PLAN, arrays)

    first, second, *others = map(with_bank, range(8))
    assert compared(first, second).verdict == "derived"
    assert compared(first, second, others).verdict == "unrelated"


def test_hashes_of_tensors_know_them_in_any_order_and_wider_dtype(tmp_path):
    first = chain(tmp_path, PLANS["gelu"], dtype=torch.bfloat16)
    copy, _ = shuffled(first, tmp_path)
    wide = write_chain(first.plan, read_all(copy), tmp_path / "wide.safetensors")
    assert tensor_hashes(first.checkpoint) == tensor_hashes(wide.checkpoint)


def test_hashes_of_tensors_tell_networks_apart(tmp_path):
    first, second = (tensor_hashes(chain(tmp_path, seed=seed).checkpoint) for seed in (0, 1))
    assert not set(first.values()) & set(second.values())


def test_weights_of_few_different_values_have_no_hash():
    signs = [np.sign(np.random.default_rng(seed).normal(size=(64, 64))).astype(np.float32) for seed in (0, 1)]
    assert tensor_hashes(in_memory({"0.weight": signs[0], "1.weight": signs[1]}, {})) == {}


def test_the_same_values_in_another_shape_have_another_hash():
    values = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    found = tensor_hashes(in_memory({"a": values, "b": values.reshape(12, 4), "c": values.T.copy()}, {}))
    assert found["a"] == found["c"] != found["b"]
