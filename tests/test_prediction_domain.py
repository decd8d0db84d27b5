"""What is told of networks that the heads were not fitted for: nothing."""

from dataclasses import replace

import numpy as np
import pytest

from wembed.prediction import Examples, Fitted, Kinds, fit_predictor, kinds_of
from wembed.prediction.domain import fit_domain
from wembed.prediction.tasks import Placed

LENGTH = 32  # of a transfer


def made_up(generator: np.random.Generator, runs: int, prefix: str, task: np.ndarray) -> Examples:
    """Runs whose transfers show their task the better the more accurate they are."""
    vectors = generator.normal(size=(runs, 6))
    targets = np.clip(0.5 + 0.3 * np.tanh(vectors[:, 0]) + generator.normal(0.0, 0.03, runs), 0.0, 1.0)
    noise = generator.normal(size=(runs, LENGTH)) / np.sqrt(LENGTH)
    transfers = targets[:, None] * task + 0.3 * noise
    transfers /= np.linalg.norm(transfers, axis=1, keepdims=True)
    kinds = Kinds(np.full(runs, "shape"), transfers)
    return Examples(vectors, targets, np.array([f"{prefix}{number}" for number in range(runs)]), kinds)


@pytest.fixture(scope="module")
def tasks() -> np.ndarray:
    """Two tasks that have nothing in common, as unit rows."""
    return np.eye(2, LENGTH)


@pytest.fixture(scope="module")
def fitted(tasks):
    generator = np.random.default_rng(0)
    return fit_predictor(made_up(generator, 80, "train", tasks[0]), made_up(generator, 80, "validation", tasks[0]))


def test_new_runs_of_the_same_kind_are_in_domain(fitted, tasks):
    test = made_up(np.random.default_rng(1), 200, "test", tasks[0])
    # The two limits let .995 and .92 of 80 validation runs pass, and so .915 of new ones, to within .03.
    assert fitted.predict(test.vectors, test.kinds).in_domain.mean() > 0.915 - 2 * 0.03


def test_another_task_of_one_shape_is_out_of_domain(fitted, tasks):
    test = made_up(np.random.default_rng(1), 200, "test", tasks[1])
    is_trained = test.targets > 0.4
    assert fitted.predict(test.vectors[is_trained], test.kinds.part(is_trained)).in_domain.mean() < 0.1


def test_networks_whose_transfer_is_not_known_are_judged_without_it(fitted, tasks):
    test = made_up(np.random.default_rng(1), 50, "test", tasks[1])
    kinds = Kinds(test.kinds.structures, np.zeros((50, LENGTH)))
    assert fitted.predict(test.vectors, kinds).in_domain.mean() > 0.85


def test_without_any_transfer_networks_are_judged_without_it(fitted, tasks):
    test = made_up(np.random.default_rng(1), 50, "test", tasks[1])
    assert fitted.predict(test.vectors, kinds_of(["shape"] * 50, [None] * 50)).in_domain.mean() > 0.85


@pytest.fixture(scope="module")
def three_tasks() -> np.ndarray:
    """Tasks as unit rows, the third half like the first."""
    rows = np.eye(3, LENGTH)
    rows[2] = (rows[0] + rows[2]) / np.sqrt(2.0)
    return rows


def joined(parts: list[Examples], names: list[str]) -> Examples:
    """Examples of several data sets."""
    datasets = np.concatenate([np.full(part.run_count, name) for part, name in zip(parts, names, strict=True)])
    vectors, targets, runs = (np.concatenate([getattr(p, n) for p in parts]) for n in ("vectors", "targets", "runs"))
    transfers = np.concatenate([part.kinds.transfers for part in parts])
    return Examples(vectors, targets, runs, Kinds(np.full(len(runs), "shape"), transfers, datasets))


def test_a_task_half_like_a_known_one_is_out_of_domain(three_tasks):
    generator = np.random.default_rng(3)
    sides = [
        joined([made_up(generator, 80, f"{side}{number}", three_tasks[number]) for number in (0, 1)], ["one", "two"])
        for side in ("train", "validation", "test")
    ]
    predictor = fit_predictor(*sides[:2])
    strange = made_up(generator, 200, "strange", three_tasks[2])
    is_trained = strange.targets > 0.4
    assert predictor.predict(strange.vectors[is_trained], strange.kinds.part(is_trained)).in_domain.mean() < 0.2
    assert predictor.predict(sides[2].vectors, sides[2].kinds).in_domain.mean() > 0.85


def test_another_structure_is_out_of_domain(fitted, tasks):
    test = made_up(np.random.default_rng(1), 20, "test", tasks[0])
    kinds = Kinds(np.full(20, "other"), test.kinds.transfers)
    assert not fitted.predict(test.vectors, kinds).in_domain.any()


@pytest.mark.parametrize(("structure", "inside"), [("twice", True), ("once", False), ("", False)])
def test_one_training_run_of_a_structure_shows_no_kind(structure, inside):
    generator = np.random.default_rng(0)
    train, validation = (made_up(generator, 40, name, np.eye(1, LENGTH)[0]) for name in ("a", "b"))
    names = np.array(["once", "twice", "twice", *[""] * 37])
    kinds = Kinds(names, np.zeros((40, 0)))
    predictor = fit_predictor(Examples(train.vectors, train.targets, train.runs, kinds), validation)
    asked = Kinds(np.array([structure]), np.zeros((1, 0)))
    assert predictor.predict(train.vectors[:1], asked).in_domain.tolist() == [inside]


def beside(known: Examples, share: float, generator: np.random.Generator, task: np.ndarray) -> Examples:
    """Runs with others among them that are of no known structure, far away and of another task."""
    strange = made_up(generator, round(share * known.run_count), "strange", task)
    parts = (known, replace(strange, vectors=strange.vectors + 6.0))
    vectors, targets, runs = (
        np.concatenate([getattr(p, name) for p in parts]) for name in ("vectors", "targets", "runs")
    )
    names = np.concatenate([known.kinds.structures, np.full(strange.run_count, "unknown")])
    transfers = np.concatenate([part.kinds.transfers for part in parts])
    return Examples(vectors, targets, runs, Kinds(names, transfers))


def test_validation_runs_of_unknown_structures_do_not_widen_what_is_near_or_alike(tasks):
    generator = np.random.default_rng(0)
    train, validation = (made_up(generator, 80, name, tasks[0]) for name in ("train", "validation"))
    with_others = beside(validation, 0.3, generator, tasks[1])
    domains = []
    for held_out in (validation, with_others):
        placed = (Placed(examples.vectors, examples) for examples in (train, held_out))
        domains.append(fit_domain(*placed))
    assert domains[1].reach == domains[0].reach
    assert domains[1].tasks.most == domains[0].tasks.most


def test_without_a_validation_run_of_a_known_structure_all_of_them_say_what_is_near(tasks):
    generator = np.random.default_rng(0)
    train, validation = (made_up(generator, 40, name, tasks[0]) for name in ("train", "validation"))
    other = replace(validation, kinds=Kinds(np.full(40, "unknown"), validation.kinds.transfers))
    domains = [fit_domain(Placed(train.vectors, train), Placed(side.vectors, side)) for side in (validation, other)]
    assert domains[1].reach == domains[0].reach
    assert domains[1].tasks.most == domains[0].tasks.most


def test_far_networks_are_out_of_domain(fitted, tasks):
    test = made_up(np.random.default_rng(1), 20, "test", tasks[0])
    assert not fitted.predict(test.vectors + 20.0, test.kinds).in_domain.any()


def test_without_kinds_only_nearness_tells(fitted, tasks):
    test = made_up(np.random.default_rng(1), 100, "test", tasks[1])
    assert fitted.predict(test.vectors).in_domain.mean() > 0.85


def test_nothing_is_told_of_networks_out_of_domain(fitted, tasks):
    test = made_up(np.random.default_rng(1), 2, "test", tasks[0])
    kinds = Kinds(np.array(["shape", "other"]), test.kinds.transfers)
    inside, outside = Fitted("accuracy", False, fitted).answers(test.vectors, kinds)
    assert (outside.value, outside.low, outside.high, outside.in_domain) == (None, None, None, False)
    assert inside.low <= inside.value <= inside.high


def test_kinds_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="2 structures, 3 transfers"):
        Kinds(np.array(["a", "b"]), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="2 structures, 1 data sets"):
        Kinds(np.array(["a", "b"]), np.zeros((2, 1)), np.array(["c"]))
