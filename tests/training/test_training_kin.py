import math

import numpy as np
import pytest
import torch

from wembed.training import Example
from wembed.training.draws import draw_pairs
from wembed.training.kin import Kin
from wembed.training.pool import Pool, Stack


def example(id, run, parents=(), twins=(), content="", step=0):
    return Example((None, None), run, step, math.nan, id, parents, twins, content)


FAMILY = [
    example("a-0", "a", twins=("init 1",), content="start"),
    example("a-1", "a", twins=("init 1",), step=1),
    example("a-child", "a-child", ("a-1",)),
    example("a-grandchild", "a-grandchild", ("a-child",)),
    example("b-0", "b", twins=("init 1",), content="start"),
    example("b-1", "b", twins=("init 1",), step=1),
    example("merged", "merged", ("c-0", "a-child")),
    example("c-0", "c"),
    example("orphan-1", "orphan-1", ("gone",)),
    example("orphan-2", "orphan-2", ("gone",)),
    example("d-0", "d", twins=("order 7",)),
]
NAMES = [member.id for member in FAMILY]


@pytest.fixture(scope="module")
def kin():
    return Kin.of(FAMILY)


def related(kin, first, second):
    return bool(kin.related(np.array([NAMES.index(first), NAMES.index(second)]))[0, 1])


@pytest.mark.parametrize(
    ("first", "second"),
    [("a-0", "a-1"), ("a-0", "a-grandchild"), ("merged", "a-1"), ("merged", "c-0"), ("orphan-1", "orphan-2")],
)
def test_relatives_by_descent_are_no_strangers(first, second, kin):
    assert related(kin, first, second)


@pytest.mark.parametrize(("first", "second"), [("a-1", "b-1"), ("a-child", "b-1"), ("a-0", "d-0"), ("d-0", "orphan-1")])
def test_twins_and_others_are_strangers(first, second, kin):
    assert not related(kin, first, second)


def test_the_same_weights_are_no_strangers(kin):
    assert related(kin, "a-0", "b-0")


def test_half_of_the_pairs_of_a_run_with_children_are_a_child_and_its_parent(kin):
    generator = np.random.default_rng(0)
    (run,) = (run for run in kin.runs if NAMES[run.snapshots[0]] == "a-0")
    drawn = [run.draw(generator) for _ in range(1000)]
    assert {NAMES[number] for pair in drawn for number in pair} == {"a-0", "a-1", "a-child"}
    with_child = [pair for pair in drawn if NAMES.index("a-child") in pair]
    assert 0.45 < len(with_child) / len(drawn) < 0.55
    assert set(with_child) == {(NAMES.index("a-1"), NAMES.index("a-child"))}


def test_a_run_alone_is_paired_with_itself(kin):
    (run,) = (run for run in kin.runs if NAMES[run.snapshots[0]] == "d-0")
    assert run.draw(np.random.default_rng(0)) == (NAMES.index("d-0"), NAMES.index("d-0"))


def test_twins_stand_in_one_batch_and_few_relatives_do():
    families = [
        member
        for number in range(12)
        for twin in "xy"
        for member in (
            example(f"{number}{twin}", f"{number}{twin}", twins=(f"init {number}",)),
            *(example(f"{number}{twin}{child}", f"{number}{twin}{child}", (f"{number}{twin}",)) for child in range(5)),
        )
    ]
    members = np.arange(len(families))
    pool = Pool.of(families, [Stack(None, members, np.zeros_like(members), members, 1, 1, 10)])
    batches = draw_pairs(pool, 24, np.random.default_rng(0))
    assert torch.isnan(pool.accuracy).all()
    for pairs in batches:
        descent, twins = pool.kin.descent[pairs.first], pool.kin.twins[pairs.first]
        for family in np.unique(twins):
            lines, counts = np.unique(descent[twins == family], return_counts=True)
            assert len(lines) == 2  # both twins, as often as each other
            assert counts[0] == counts[1]


def test_large_networks_come_in_smaller_batches():
    families = [example(str(number), str(number)) for number in range(16)]
    members = np.arange(16)
    pool = Pool.of(families, [Stack(None, members, np.zeros_like(members), members, 1, 1, 1 << 22)])  # 4 M parameters
    sizes = [len(pairs.first) for pairs in draw_pairs(pool, 64, np.random.default_rng(0))]
    assert sum(sizes) == 16
    assert max(sizes) == 4
