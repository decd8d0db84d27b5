"""Laws of the methods of merging, and small examples worked out by hand."""

import re
from dataclasses import dataclass

import numpy as np
import pytest

from wembed.errors import UsageError
from wembed.merging.methods import METHODS, NEED_BASE, Block, Combination, combine, combined

SHAPE = (17, 9)


def networks(count: int, dtype=np.float64, seed: int = 0):
    rng = np.random.default_rng(seed)
    base = rng.standard_normal(SHAPE).astype(dtype)
    return base, [base + (rng.standard_normal(SHAPE) * 0.1).astype(dtype) for _ in range(count)]


def merged(how: Combination, tensors, base):
    return combine(how, tensors, base if how.method in NEED_BASE else None, "layer.weight")


@dataclass(frozen=True)
class Pieces:
    """Blocks of a few elements each."""

    whole: Block
    length: int

    @property
    def size(self):
        return self.whole.tensors[0].size

    @property
    def networks(self):
        return len(self.whole.tensors)

    def __iter__(self):
        return (self._part(slice(begin, begin + self.length)) for begin in range(0, self.size, self.length))

    def sample(self, step):
        return self._part(slice(None, None, step))

    def _part(self, part):
        base = self.whole.base
        return Block([tensor[part] for tensor in self.whole.tensors], None if base is None else base[part])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("length", [1, 7, 64])
def test_blocks_of_any_length_give_the_same_tensor(method, length):
    base, tensors = networks(2)
    whole = Block([tensor.reshape(-1) for tensor in tensors], base.reshape(-1))
    parts = combined(Combination(method), Pieces(whole, length), "layer.weight")
    assert np.allclose(
        np.concatenate(list(parts)), merged(Combination(method), tensors, base).reshape(-1), rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_dtype_stays_and_inputs_are_not_written_to(method, dtype):
    base, tensors = networks(2, dtype)
    before = [array.copy() for array in (base, *tensors)]
    assert merged(Combination(method), tensors, base).dtype == dtype
    assert all(np.array_equal(old, new) for old, new in zip(before, (base, *tensors), strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_result_is_not_a_view_of_an_input(method):
    base, tensors = networks(2)
    found = merged(Combination(method), tensors, base)
    assert not any(np.shares_memory(found, array) for array in (base, *tensors))


@pytest.mark.parametrize("method", ["linear", "slerp"])
@pytest.mark.parametrize("t", [0.0, 1.0])
def test_ends_of_the_way_are_the_networks_themselves(method, t):
    _, tensors = networks(2, np.float32)
    assert np.array_equal(merged(Combination(method, t=t), tensors, None), tensors[int(t)])


@pytest.mark.parametrize("method", ["linear", "slerp", "ties", "stock"])
def test_copies_of_one_network_merge_into_it(method):
    base, (one,) = networks(1)
    found = merged(Combination(method, density=1.0), [one, one.copy()], base)
    assert np.allclose(found, one, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", sorted(NEED_BASE))
def test_copies_of_the_base_merge_into_it(method):
    base, _ = networks(0)
    assert np.array_equal(merged(Combination(method), [base.copy(), base.copy()], base), base)


@pytest.mark.parametrize("method", ["task", "ties", "dare"])
def test_one_fine_tune_is_kept_whole_where_nothing_is_dropped(method):
    base, (one,) = networks(1)
    assert np.allclose(merged(Combination(method, density=1.0), [one], base), one, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["task", "ties", "dare"])
def test_scale_stretches_the_way_from_the_base(method):
    base, tensors = networks(3)
    once, twice = (merged(Combination(method, scale=scale), tensors, base) - base for scale in (1.0, 2.0))
    assert np.allclose(2.0 * once, twice, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["linear", "ties", "task", "stock"])
def test_order_of_the_networks_does_not_matter(method):
    base, tensors = networks(3)
    there, back = (merged(Combination(method), order, base) for order in (tensors, tensors[::-1]))
    assert np.allclose(there, back, rtol=0, atol=1e-12)


def test_only_proportions_of_linear_weights_matter():
    _, tensors = networks(3)
    one, other = (combine(Combination("linear", w), tensors, None, "w") for w in ((1.0, 2.0, 5.0), (0.1, 0.2, 0.5)))
    assert np.allclose(one, other, rtol=0, atol=1e-14)


def test_slerp_keeps_the_length_of_unit_vectors():
    first, second = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.6, 0.8])
    found = combine(Combination("slerp", t=0.3), [first, second], None, "w")
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-12)


def test_slerp_of_nearly_parallel_or_zero_tensors_is_linear():
    first = np.array([1.0, 0.0])
    for second in (np.array([1.0, 1e-3]), np.zeros(2), -first):
        found = combine(Combination("slerp", t=0.25), [first, second], None, "w")
        assert np.allclose(found, 0.75 * first + 0.25 * second)


def test_task_arithmetic_forgets_with_a_negative_weight():
    base, (one, other) = networks(2)
    found = merged(Combination("task", (1.0, -1.0)), [one, other], base)
    assert np.allclose(found, base + one - other)


def test_ties_trims_elects_and_averages_what_agrees():
    base = np.full(4, 10.0)
    one, other = base + np.array([4.0, 3.0, 0.1, -1.0]), base + np.array([2.0, -5.0, 0.2, 0.0])
    # 4, 3 and 2, -5 are kept; the signs are +, -, and + where nothing is left
    assert np.array_equal(merged(Combination("ties", density=0.5), [one, other], base), [13.0, 5.0, 10.0, 10.0])


def test_ties_averages_by_weight():
    base, one, other = np.zeros(1), np.array([1.0]), np.array([4.0])
    assert merged(Combination("ties", (3.0, 1.0), density=1.0), [one, other], base) == pytest.approx(7.0 / 4.0)


def test_dare_keeps_the_sum_on_average():
    base, one = np.zeros(200_000), np.ones(200_000)
    found = merged(Combination("dare", density=0.1), [one], base)
    assert set(np.unique(found)) == {0.0, 10.0}
    assert found.mean() == pytest.approx(1.0, abs=0.03)


def test_dare_depends_on_seed_name_and_network():
    base, one = np.zeros(64), np.ones(64)
    how = Combination("dare")
    found = combine(how, [one], base, "a")
    assert np.array_equal(found, combine(how, [one], base, "a"))
    assert not np.array_equal(found, combine(how, [one], base, "b"))
    assert not np.array_equal(found, combine(Combination("dare", seed=1), [one], base, "a"))
    assert np.array_equal(found, combine(Combination("dare", (1.0, 0.0)), [one, one], base, "a"))
    assert not np.array_equal(found, combine(Combination("dare", (0.0, 1.0)), [one, one], base, "a"))


def test_stock_goes_as_far_as_the_angle_says():
    base = np.zeros(2)
    at_60_degrees = [np.array([1.0, 0.0]), np.array([0.5, np.sqrt(0.75)])]
    average = np.mean(at_60_degrees, axis=0)
    ratio = 2 * 0.5 / (1 + 0.5)
    assert np.allclose(merged(Combination("stock"), at_60_degrees, base), ratio * average)


@pytest.mark.parametrize("other", [np.array([0.0, 3.0]), np.array([-1.0, 0.1]), np.array([-1.0, 0.0])])
def test_stock_stays_at_the_base_where_fine_tunes_have_nothing_in_common(other):
    base = np.zeros(2)
    assert np.allclose(merged(Combination("stock"), [np.array([1.0, 0.0]), other], base), base)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,)])
def test_scalars_and_empty_tensors_are_merged(method, shape):
    base, one, other = np.zeros(shape), np.ones(shape), np.ones(shape)
    assert merged(Combination(method, density=1.0), [one, other], base).shape == shape


REFUSED = [
    ({"method": "average"}, "unknown method 'average'", "known are linear, slerp, ties, dare, task, stock"),
    ({"scale": float("nan")}, "weights, t and scale must be finite", ""),
    ({"method": "ties", "density": 0.0}, "density must be more than 0 and at most 1, found 0", ""),
    ({"method": "ties", "density": 1.5}, "density must be more than 0 and at most 1, found 1.5", ""),
    ({"t": 0.5, "weights": (1.0, 1.0)}, "weights and -t contradict each other", "give one of them"),
    ({"method": "ties", "t": 0.5}, "-t is not for --method ties", "it is for linear, slerp, embedding"),
    ({"method": "dare", "seed": -1}, "seed must be 0 or more, found -1", ""),
    ({"method": "stock", "weights": (1.0, 1.0)}, "weights are not for --method stock", "it counts all alike"),
    ({"weights": (1e308, 1e308)}, "weights must add up to a finite number", "divide all of them by one number"),
    ({"weights": (1.0, -1.0)}, "weights of linear must add up to more than 0, found 0", ""),
]


@pytest.mark.parametrize(("numbers", "message", "hint"), REFUSED, ids=[row[1][:40] for row in REFUSED])
def test_numbers_that_make_no_sense_are_refused(numbers, message, hint):
    with pytest.raises(UsageError, match=re.escape(message)) as refused:
        Combination(**numbers)
    assert refused.value.hint == hint


UNFIT = [
    (Combination("ties"), 2, False, "--method ties takes a base"),
    (Combination("linear"), 1, False, "merging takes two or more checkpoints, found 1"),
    (Combination("stock"), 1, True, "--method stock takes two or more checkpoints beside the base, found 1"),
    (Combination("task"), 0, True, "merging takes two or more checkpoints, found 1"),
    (Combination("slerp"), 3, False, "--method slerp takes two checkpoints, found 3"),
    (Combination("linear", t=0.5), 3, False, "-t is the share of the second of two, found 3"),
    (Combination("linear", (1.0, 2.0)), 3, False, "weights: one for each of 3 models is expected, found 2"),
]


@pytest.mark.parametrize(("how", "count", "has_base", "message"), UNFIT, ids=[row[3][:40] for row in UNFIT])
def test_networks_that_a_method_does_not_take_are_refused(how, count, has_base, message):
    tensors = [np.zeros(2)] * count
    with pytest.raises(UsageError, match=re.escape(message)):
        combine(how, tensors, np.zeros(2) if has_base else None, "w")


@pytest.mark.parametrize(
    "how",
    [
        Combination("task", scale=1e39),
        Combination("ties", scale=1e39),
        Combination("dare", density=1e-300),
        Combination("task", weights=(1e39, -1e39)),
    ],
    ids=lambda how: f"{how.method} {how.weights}",
)
def test_numbers_that_are_too_extreme_are_refused_in_a_line_without_warnings(how):
    tensors = [np.linspace(-1, 1, 64, dtype=np.float32) * share for share in (1.0, 2.0)]
    with pytest.raises(UsageError, match="tensor 'w': merged values overflow") as refused:
        combine(how, tensors, np.zeros(64, np.float32), "w")
    assert refused.value.hint == "weights, scale or density are too extreme"
