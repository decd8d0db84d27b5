"""Networks that nobody made for this: which algorithm trained a policy, told from its weights.

Three algorithms on seven small control tasks, policies of one shape within a task. Whoever answers for a task has seen
none of its policies. Few files: the figures describe, they prove nothing.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wembed.catalog import Zoo
from wembed.encoder import Fingerprint, load_encoder
from wembed.evaluate.embeddings import Statistics
from wembed.evaluate.prediction.draws import draw_groups, measure_mean
from wembed.zoo import add, open_items

DATA = os.environ.get("WEMBED_TEST_DATA")
ALGORITHMS = ("a2c", "ppo", "trpo")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA, reason="WEMBED_TEST_DATA names no folder of real checkpoints"),
]


@pytest.fixture(scope="module")
def policies(tmp_path_factory):
    """Embeddings by encoder, the algorithm and the task of each policy."""
    zoo = Zoo.create(tmp_path_factory.mktemp("policies") / "zoo")
    add(zoo, [Path(str(DATA)) / "checkpoints" / "rl" / name for name in ALGORITHMS])
    rows = zoo.rows()
    items = open_items(zoo, rows)
    folders = [Path(zoo.path_of(row)).parent for row in rows]
    encoders = (Fingerprint(), Statistics(), load_encoder("pretrained"))
    vectors = {encoder.name: np.array(encoder.embed(items), dtype=float) for encoder in encoders}
    return vectors, np.array([folder.parent.name for folder in folders]), np.array([each.name for each in folders])


def leave_one_out(vectors, labels, groups):
    """The class of each by a linear classifier that was fitted on all other groups."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return cross_val_predict(model, vectors, labels, groups=groups, cv=LeaveOneGroupOut())


def test_algorithms_are_told_apart_on_tasks_never_seen(policies, record_property):
    vectors, algorithms, tasks = policies
    draws = draw_groups(tasks, np.random.default_rng(0))
    answers = {name: leave_one_out(found, algorithms, tasks) for name, found in vectors.items()}
    answers["majority"] = np.full(len(tasks), max(ALGORITHMS, key=list(algorithms).count))
    for name, given in answers.items():
        found = measure_mean((given == algorithms)[None].astype(float), draws)
        record_property(f"{name}: share of {len(tasks)} policies named rightly", found.value)
        for end, value in zip(("low", "high"), found.interval, strict=True):
            record_property(f"{name}: {end} end of the 95 % interval, by task", value)
    assert len(tasks) == 21
    assert (answers["majority"] == algorithms).mean() == pytest.approx(1 / 3)
