"""What is told of networks that the heads were not fitted for: nothing."""

import numpy as np
import pytest

from wembed.prediction import Examples, Fitted, Kinds, fit_predictor

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
    # Two limits, each set by 80 runs to let .97 pass, which it does to within .02.
    assert fitted.predict(test.vectors, test.kinds).in_domain.mean() > 0.94 - 4 * 0.02


def test_another_task_of_one_shape_is_out_of_domain(fitted, tasks):
    test = made_up(np.random.default_rng(1), 200, "test", tasks[1])
    is_trained = test.targets > 0.4
    assert fitted.predict(test.vectors[is_trained], test.kinds.part(is_trained)).in_domain.mean() < 0.1


def test_networks_whose_transfer_is_not_known_are_judged_without_it(fitted, tasks):
    test = made_up(np.random.default_rng(1), 50, "test", tasks[1])
    kinds = Kinds(test.kinds.structures, np.zeros((50, LENGTH)))
    assert fitted.predict(test.vectors, kinds).in_domain.mean() > 0.85


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
