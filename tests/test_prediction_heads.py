"""Candidates of each kind of head: how many are fitted, and what the first look at them spares."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor

from wembed.prediction.heads import Kernel, kernels
from wembed.prediction.space import Space
from wembed.prediction.trees import boostings


@pytest.fixture(scope="module")
def places() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(90, 3))


@pytest.fixture(scope="module")
def targets(places) -> np.ndarray:
    return np.sin(places[:, :1])


def error_on(places, targets):
    return lambda head: float(np.square(head.predict(places) - targets).mean())


def test_trees_that_are_hopeless_after_a_few_are_not_grown_further(places, targets):
    (only,) = boostings(places, targets, 0, lambda head: True)
    assert only.value.shape[1] == 25


def test_trees_grown_in_two_steps_are_those_of_one(places, targets):
    *_, whole = boostings(places, targets, 0, lambda head: False)
    at_once = GradientBoostingRegressor(
        learning_rate=0.1, n_estimators=100, max_depth=4, min_samples_leaf=5, max_features=0.2, random_state=0
    ).fit(places.astype(np.float32), targets[:, 0])
    np.testing.assert_allclose(whole.predict(places)[:, 0], at_once.predict(places.astype(np.float32)), atol=1e-6)


def test_of_many_examples_some_choose_the_kernel_that_is_fitted_on_all(places, targets, monkeypatch):
    error = error_on(*(part[:30] for part in (places, targets)))
    candidates = list(kernels(places, targets, error))
    monkeypatch.setattr("wembed.prediction.heads._FEW_EXAMPLES", 40)
    (chosen,) = kernels(places, targets, error)
    assert len(candidates) == 9
    assert isinstance(chosen, Kernel)
    assert len(chosen.examples) == 90
    assert error(chosen) < 0.01 * targets.var()


@pytest.mark.parametrize("features", [5, 40])
def test_the_directions_are_those_that_vary_most(features):
    vectors = np.random.default_rng(1).normal(size=(20, features)) * np.geomspace(1.0, 4.0, features)
    space = Space.of(vectors)
    standardised = space.standardised(vectors)
    spread = np.linalg.svd(standardised - standardised.mean(0), compute_uv=False)
    lengths = np.linalg.norm(space(vectors), axis=0)
    np.testing.assert_allclose(lengths, spread[: len(lengths)], rtol=1e-6)
    assert len(lengths) == min(features, 19)
