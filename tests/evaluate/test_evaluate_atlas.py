"""Places on the map, and what is known of each: neighbours, family, layers."""

import dataclasses

import numpy as np
import pytest

from wembed.device import one_thread
from wembed.encoder import Stats
from wembed.evaluate.atlas import NEIGHBOURS, layers_of, nearest
from wembed.evaluate.embeddings import Vectors
from wembed.evaluate.places import map_points

AXES = np.eye(4)


@pytest.fixture(scope="module")
def vectors(material) -> Vectors:
    return Vectors(Stats().embed(material.items).astype(np.float64), np.ones(len(material.items), dtype=bool))


@pytest.fixture(scope="module")
def points(material, vectors):
    with one_thread():
        return map_points(material, vectors, most=1000, seed=0)


def test_nearest_come_first_and_never_the_checkpoint_itself():
    turned = np.stack([AXES[0], AXES[0] + 0.1 * AXES[1], AXES[0] + AXES[1], AXES[2]])
    found = nearest(["a", "b", "c", "d"], turned)
    assert [near.id for near in found[0]] == ["b", "c", "d"]


def test_score_is_the_cosine_whatever_the_lengths():
    (near,), _ = nearest(["a", "b"], np.array([[2.0, 0.0], [3.0, 4.0]]))
    assert near.score == pytest.approx(0.6)


def test_equal_neighbours_stand_in_the_order_of_the_zoo():
    found = nearest([str(number) for number in range(20)], np.tile(AXES[:1], (20, 1)))
    assert [near.id for near in found[15]] == [str(number) for number in range(NEIGHBOURS)]


def test_score_of_a_copy_is_not_above_1():
    vectors = np.random.default_rng(0).normal(size=(1, 300)).repeat(2, axis=0)
    assert nearest(["a", "b"], vectors)[0][0].score <= 1.0


def test_checkpoint_of_no_direction_is_near_to_nothing():
    found = nearest(["a", "b"], np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert found[0][0].score == 0.0


def test_map_holds_the_checkpoints_of_all_splits(material, points):
    assert [point.id for point in points] == [row.id for row in material.rows]
    assert {point.split for point in points} == set(material.splits.values())


def test_map_of_one_seed_is_the_same_twice(material, vectors, points):
    with one_thread():
        assert map_points(material, vectors, most=1000, seed=0) == points


def test_zoo_that_is_too_large_is_sampled(material, vectors):
    found = map_points(material, vectors, most=20, seed=0)
    ids = {point.id for point in found}
    assert len(ids) == 20
    assert all(near.id in ids for point in found for near in point.neighbours)


def test_checkpoint_of_unknown_accuracy_is_on_the_map(material, vectors):
    rows = [dataclasses.replace(material.rows[0], accuracy=None), *material.rows[1:]]
    unknown = dataclasses.replace(material, rows=rows)
    found = map_points(unknown, Vectors(vectors.values[:8], vectors.known[:8]), most=8, seed=0)
    assert found[0].accuracy is None


def test_checkpoint_without_a_vector_is_not_on_the_map(material, vectors):
    known = vectors.known.copy()
    known[8:] = False
    found = map_points(material, Vectors(vectors.values, known), most=1000, seed=0)
    assert [point.id for point in found] == [row.id for row in material.rows[:8]]


def test_map_of_three_checkpoints_is_not_drawn(material, vectors):
    assert map_points(material, vectors, most=3, seed=0) == []


def test_snapshots_of_a_run_are_one_family(material, points):
    families = {}
    for point in points:
        families.setdefault(point.run, set()).add(point.family)
    assert all(len(found) == 1 for found in families.values())
    assert points[0].family == material.rows[0].id


def test_layers_are_those_of_the_file_in_the_order_of_the_data(material):
    checkpoint, _ = material.items[0]
    layers = layers_of(material.items[0])
    assert [layer.name for layer in layers] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    weights = checkpoint.read("0.weight").astype(np.float64)
    assert layers[0].shape == weights.shape
    assert (layers[0].mean, layers[0].deviation) == (pytest.approx(weights.mean()), pytest.approx(weights.std()))
