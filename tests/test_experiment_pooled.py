import pytest

from wembed.evaluate import Evaluation, Result
from wembed.experiment.pooled import pooled


def made(seed: int, *rows: Result) -> Evaluation:
    return Evaluation(list(rows), facts={"seed": seed, "checkpoints": 100 + seed, "seeds": 3})


def row(value: float | None, metric: str = "tau", split: str = "test") -> Result:
    return Result("prediction", "gnn", metric, value, 10, split, 0.1, 0, "gnn-1", "abc", 0.2, 0.9)


def test_the_mean_stands_with_its_spread_and_with_nothing_that_belongs_to_one_seed():
    (found,) = pooled([made(0, row(0.4)), made(1, row(0.6))]).results
    assert found.value == pytest.approx(0.5)
    assert found.spread == pytest.approx(0.02**0.5)
    assert (found.n, found.seeds) == (20, 2)
    assert (found.error, found.low, found.high, found.seed, found.encoder_id, found.data) == (
        None,
        None,
        None,
        None,
        "",
        "",
    )


def test_what_one_seed_lacks_is_left_out_and_counted():
    one = pooled([made(0, row(0.4), row(0.1, split="test:a")), made(1, row(0.6), row(0.1, split="test:b"))])
    assert [each.split for each in one.results] == ["test"]
    assert one.facts["rows that only some seeds have, left out"] == 2


def test_a_value_that_does_not_apply_to_one_seed_does_not_apply():
    (found,) = pooled([made(0, row(0.4)), made(1, row(None))]).results
    assert (found.value, found.spread) == (None, None)


def test_ends_of_intervals_are_no_metrics_to_average():
    rows = [row(0.1, f"tau_difference{end}") for end in ("", "_low", "_high", "_above_0")]
    assert [each.metric for each in pooled([made(0, *rows), made(1, *rows)]).results] == ["tau_difference"]


def test_facts_that_differ_are_told_apart():
    facts = pooled([made(0, row(0.4)), made(1, row(0.6))]).facts
    assert facts["checkpoints"] == {"run 0": 100, "run 1": 101}
    assert facts["seeds"] == 3
    assert facts["pooled over seeds"] == [0, 1]


def test_one_evaluation_stays_as_it_is():
    one = made(0, row(0.4))
    assert pooled([one]) is one
