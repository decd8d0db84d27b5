"""What a pair is held against, and what that says."""

import numpy as np
import pytest

from wembed.catalog import CatalogRow
from wembed.kinship import Pair, choose_strangers
from wembed.kinship.strangers import p_among, without_kin


def row(name, **more):
    facts = {"id": name, "path": f"{name}.safetensors", "structure": "s", "content": f"c-{name}", "dataset": "digits"}
    return CatalogRow(**facts | more)


def chosen_for(pair, rows, count=9, seed=0):
    found = choose_strangers(rows, pair, count, np.random.default_rng(seed))
    return [[row.id for row in kind] for kind in found]


def chosen(rows, kin, count=9, seed=0):
    return chosen_for(Pair("s", frozenset(kin), frozenset({"digits"})), rows, count, seed)[0]


def test_no_relative_of_the_pair_is_a_stranger():
    rows = [row("a"), row("child", parent="a"), row("grandchild", parent="child"), row("b"), row("c", structure="t")]
    assert chosen(rows, {"grandchild"}) == ["b"]


def test_a_copy_of_one_of_the_pair_is_no_stranger():
    assert chosen([row("a"), row("b")], {"c-a"}) == ["b"]


def test_of_a_family_the_most_trained_founder_is_the_stranger():
    rows = [row("a-1", run="a", step=1), row("a-9", run="a", step=9), row("child", parent="a-9", step=20), row("b")]
    assert chosen(rows, {"b"}) == ["a-9"]


def test_a_run_that_diverged_is_no_stranger():
    assert chosen([row("a", status="diverged"), row("b")], set()) == ["b"]


def test_many_strangers_are_drawn_by_seed():
    rows = [row(f"r{number}") for number in range(40)]
    first, again, other = (chosen(rows, set(), 10, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert len(first) == 10


def test_who_learned_from_other_data_is_no_stranger_but_one_of_the_others():
    rows = [row("a"), row("b"), row("c", dataset="faces"), row("d", dataset=None)]
    assert chosen_for(Pair("s", frozenset({"a"})), rows) == [["b"], ["c", "d"]]  # as the catalog knows a's data set
    assert chosen_for(Pair("s", frozenset(), frozenset({"faces"})), rows) == [["c"], ["a", "b", "d"]]


def test_of_a_pair_whose_data_nobody_knows_there_are_no_strangers():
    rows = [row("a", dataset=None), row("b", dataset=None), row("c")]
    assert chosen_for(Pair("s", frozenset({"a"})), rows) == [[], ["b", "c"]]


def test_of_a_family_the_one_that_learned_from_the_same_data_is_the_stranger():
    rows = [row("base", dataset="faces", step=9), row("tuned", parent="base", step=1)]
    assert chosen(rows, set()) == ["tuned"]


def test_strangers_that_only_kin_can_be_as_alike_to_are_none():
    low = [0.40, 0.42, 0.44, 0.46, 0.48]
    assert without_kin([0.97, *low, 0.95]) == low


def test_strangers_that_are_as_alike_as_others_stay():
    for found in ([0.85, 0.88, 0.91, 0.80, 0.95, 0.89], [0.95, 0.96, 0.4, 0.5], [0.3, 0.32, 0.34, 0.36, 0.38, 0.8]):
        assert without_kin(found) == found


def test_few_strangers_give_the_share_that_is_as_alike():
    assert p_among(0.9, [0.1, 0.2, 0.3]) == pytest.approx(1 / 4)
    assert p_among(0.2, [0.1, 0.2, 0.3]) == pytest.approx(3 / 4)


def test_a_stranger_that_is_as_alike_is_counted_however_many_there_are():
    assert p_among(0.9, [0.1] * 18 + [0.95]) == pytest.approx(2 / 20)


def test_far_above_strangers_is_rare_and_rarer_among_many():
    few, many = ([0.3, 0.32, 0.34, 0.36, 0.38] * times for times in (1, 4))
    assert p_among(0.9, many) < p_among(0.9, few) < 1e-3


def test_what_runs_on_the_same_examples_gain_over_strangers_is_allowed_for():
    assert p_among(0.47, [0.40, 0.41, 0.42] * 7) > 0.5
