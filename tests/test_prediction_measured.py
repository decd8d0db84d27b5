"""How often intervals hold the truth, and which strange networks are told apart, on zoos of trained networks.

WEMBED_TEST_DIGITS names a zoo that `wembed zoo build digits` made; without it one is built, which takes minutes.
"""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from wembed.catalog import CatalogRow, Zoo, assign_splits
from wembed.catalog.manifest import load_manifest
from wembed.encoder import Encoder, Fingerprint, load_encoder, pretrained
from wembed.prediction import ACCURACY, Ground, Kinds, Predictions, Transfer, fit_target, kinds_of
from wembed.store import EmbeddingTable
from wembed.zoo import embed_zoo
from wembed.zoo.builder import BuildManifest, BuildOptions, build

pytestmark = pytest.mark.slow

SPLITS = 20
FAMILY = "cnn"
HELD_OUT, SEEDS = ("digits", "teacher", "moved"), 4

# Networks of the same shapes, on the same images with their own labels, a random network's, and their pixels moved.
SAME_SHAPES = """
name: same
training: {batch_size: 32, snapshots: [80, 300, 1000]}
hyperparameters:
  learning_rate: [1.0e-4, 3.0e-2]
  weight_decay: [1.0e-5, 1.0e-1]
  init_scale: [0.5, 2.0]
  train_fraction: [0.1, 1.0]
  label_noise: [0.0, 0.5]
data: {teacher: {path: teacher.npz}, moved: {path: moved.npz}}
groups:
  - {dataset: digits, grid: {kind: mlp, hidden: [[32, 32], [64]]}, runs: 50}
  - {dataset: teacher, grid: {kind: mlp, hidden: [[32, 32], [64]]}, runs: 50}
  - {dataset: moved, grid: {kind: mlp, hidden: [[32, 32], [64]]}, runs: 50}
"""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Zoo:
    named = os.environ.get("WEMBED_TEST_DIGITS")
    if named:
        return Zoo.open(Path(named))
    zoo = Zoo.create(tmp_path_factory.mktemp("digits") / "zoo")
    build(zoo, BuildOptions(load_manifest("digits", BuildManifest), seed=1))
    return zoo


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("embeddings"))


def vectors_of(zoo: Zoo, encoder: Encoder, store: str) -> dict[str, np.ndarray]:
    table = EmbeddingTable(store, encoder.id, encoder.dimension)
    return table.find([entry.id for entry in embed_zoo(zoo, encoder, table).done])


@pytest.fixture(scope="module")
def transfers(zoo, store) -> dict[str, np.ndarray]:
    return vectors_of(zoo, Transfer(), store)


def told(ground: Ground, rows: list[CatalogRow], own: dict[str, np.ndarray], transfers) -> Predictions:
    """What a predictor that rests on a ground says of other rows."""
    kinds: Kinds = kinds_of([row.structure for row in rows], [transfers[row.id] for row in rows])
    return fit_target(ground, ACCURACY).model.predict(np.array([own[row.id] for row in rows]), kinds)


def misses(found: Predictions, rows: list[CatalogRow]) -> np.ndarray:
    true = np.array([row.accuracy for row in rows])
    return (true < found.low) | (found.high < true)


@pytest.mark.parametrize("name", ["fingerprint", pretrained.PRETRAINED])
def test_intervals_of_nine_in_ten_hold_nine_in_ten(zoo, store, transfers, name, record_property):
    own = Fingerprint() if name == "fingerprint" else load_encoder(name, pretrained.FOLDER, "cpu")
    vectors, rows = vectors_of(zoo, own, store), zoo.rows()
    shares, inside, missed = [], [], []
    for seed in range(SPLITS):
        splits = assign_splits(rows, seed)
        test = [row for row in rows if splits[row.id] == "test"]
        found = told(Ground(rows, vectors, transfers, split_seed=seed, seed=seed), test, vectors, transfers)
        wrong = misses(found, test)
        shares.append(1 - wrong.mean())
        inside.append(found.in_domain.mean())
        missed.append(1 - wrong[found.in_domain].mean())
    record_property(f"prediction {name}: coverage at .9, mean of {SPLITS} splits", float(np.mean(shares)))
    record_property(f"prediction {name}: its spread", float(np.std(shares, ddof=1)))
    record_property(f"prediction {name}: the same in domain", float(np.mean(missed)))
    record_property(f"prediction {name}: out of domain, of the zoo's own kind", float(1 - np.mean(inside)))
    assert 0.87 <= np.mean(shares) <= 0.93
    assert np.mean(inside) >= 0.9


def test_networks_of_an_architecture_that_was_held_out_are_told_apart(zoo, store, transfers, record_property):
    vectors, rows = vectors_of(zoo, Fingerprint(), store), zoo.rows()
    strange = [row for row in rows if (row.architecture or "").startswith(FAMILY)]
    known = [row for row in rows if row not in strange]
    found = told(Ground(known, vectors, transfers), strange, vectors, transfers)
    wrong = misses(found, strange)
    flagged = 1 - found.in_domain[wrong].mean()
    record_property(f"prediction: {FAMILY} held out, share of {int(wrong.sum())} misses out of domain", float(flagged))
    assert flagged >= 0.9


@pytest.fixture(scope="module")
def same_shapes(tmp_path_factory) -> Zoo:
    folder, generator = tmp_path_factory.mktemp("same"), np.random.default_rng(0)
    images, labels = load_digits(return_X_y=True)
    scaled = (images - images.mean(0)) / (images.std(0) + 1e-3)
    answers = np.maximum(scaled @ generator.normal(size=(64, 32)) / 8, 0.0) @ generator.normal(size=(32, 10))
    taught = ((answers - answers.mean(0)) / answers.std(0)).argmax(1)
    np.savez(folder / "teacher.npz", inputs=images.astype(np.float32), labels=taught)
    np.savez(folder / "moved.npz", inputs=images[:, generator.permutation(64)].astype(np.float32), labels=labels)
    (folder / "same.yaml").write_text(SAME_SHAPES)
    zoo = Zoo.create(folder / "zoo")
    build(zoo, BuildOptions(load_manifest(str(folder / "same.yaml"), BuildManifest), seed=5))
    return zoo


def test_networks_of_a_data_set_of_the_same_shape_that_was_held_out_are_told_apart(
    same_shapes, tmp_path, record_property
):
    """On a zoo that is like the one that the limits of wembed/prediction/domain.py were chosen on.

    Two others, of data that are not here, measured in the same way by the fingerprint and the packaged encoder, four
    splits each: of digits, MNIST and Fashion-MNIST at 8x8 and digits with other labels .796 of 1,942 misses are out of
    domain, as MNIST's and the digits' networks do one task (53 of 131 and 807 of 1,063; of the other two .917); of
    digits, relabelled MNIST, Fashion-MNIST, moved and relabelled, .896 of 1,029. Both fall short of .9. Of their own
    kind .080 and .079 are out; of the zoo here, .11, as each of the two limits is a quantile of 30 validation runs,
    which lets one in 31 less pass. Limits that make up for it would flag .820 in place of .896 in the second zoo.
    """
    rows = same_shapes.rows()
    vectors, transfers = (vectors_of(same_shapes, own, str(tmp_path)) for own in (Fingerprint(), Transfer()))
    flagged, missed, passed = dict.fromkeys(HELD_OUT, 0), dict.fromkeys(HELD_OUT, 0), []
    for name, seed in itertools.product(HELD_OUT, range(SEEDS)):
        strange = [row for row in rows if row.dataset == name]
        known = [row for row in rows if row.dataset != name]
        splits = assign_splits(known, seed)
        test = [row for row in known if splits[row.id] == "test"]
        found = told(
            Ground(known, vectors, transfers, split_seed=seed, seed=seed), [*strange, *test], vectors, transfers
        )
        wrong = misses(found, [*strange, *test])[: len(strange)]
        missed[name] += int(wrong.sum())
        flagged[name] += int((wrong & ~found.in_domain[: len(strange)]).sum())
        passed.append(found.in_domain[len(strange) :].mean())
    for name in HELD_OUT:
        what = f"prediction: {name} of one shape held out, share of {missed[name]} misses out of domain"
        record_property(what, flagged[name] / missed[name])
    all_flagged = sum(flagged.values()) / sum(missed.values())
    record_property("prediction: data set of one shape held out, share of all misses out of domain", all_flagged)
    record_property("prediction: the same, share of its own kind out of domain", 1 - float(np.mean(passed)))
    assert all_flagged >= 0.9
    assert np.mean(passed) >= 0.87  # .886 measured; .9 on zoos of more runs, see above
