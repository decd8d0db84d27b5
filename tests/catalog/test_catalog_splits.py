from collections import Counter, defaultdict

import numpy as np
import pytest

from wembed.catalog import SPLITS, CatalogRow, assign_splits, check_splits, families
from wembed.errors import NotFoundError


def rows_of(runs: int, snapshots: int = 3, **values) -> list[CatalogRow]:
    return [
        CatalogRow(id=f"r{run}-step{step}", path=f"{run}-{step}", run=f"r{run}", step=step, **values)
        for run in range(runs)
        for step in range(snapshots)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_no_family_is_ever_split(seed):
    generator = np.random.default_rng(seed)
    rows = rows_of(40)
    for child in range(40):
        parent = rows[generator.integers(len(rows))]
        run = None if generator.random() < 0.5 else f"r{generator.integers(60)}"
        rows.append(CatalogRow(id=f"c{child}", path=f"c{child}", parent=parent.id, run=run))
    order = generator.permutation(len(rows))
    splits = assign_splits([rows[i] for i in order], seed)
    sides = defaultdict(set)
    by_id = {row.id: row for row in rows}
    for row in rows:
        sides[row.run or row.id].add(splits[row.id])
        if row.parent:
            assert splits[row.id] == splits[by_id[row.parent].id]
    assert all(len(found) == 1 for found in sides.values())


def test_all_sides_get_about_their_share():
    splits = assign_splits(rows_of(2000, snapshots=1), seed=0)
    shares = {side: count / 2000 for side, count in Counter(splits.values()).items()}
    assert shares["train"] == pytest.approx(0.6, abs=0.04)
    assert shares["validation"] == pytest.approx(0.15, abs=0.04)
    assert shares["test"] == pytest.approx(0.25, abs=0.04)
    assert "zero-shot" in SPLITS
    assert "zero-shot" not in shares


def test_a_row_stays_where_it_is_when_the_zoo_grows_and_moves_with_the_seed():
    small, large = assign_splits(rows_of(50), 0), assign_splits(rows_of(80), 0)
    assert {row_id: large[row_id] for row_id in small} == small
    assert assign_splits(rows_of(50), 1) != small


def test_zero_shot_is_kept_with_its_family():
    rows = rows_of(5, split="zero-shot")
    child = CatalogRow(id="child", path="child", parent="r1-step0")
    splits = assign_splits([*rows, child, *(CatalogRow(id=f"x{i}", path="x") for i in range(20))], 0)
    assert {splits[row.id] for row in [*rows, child]} == {"zero-shot"}
    assert "zero-shot" not in {splits[f"x{i}"] for i in range(20)}


def test_families_join_through_parents_that_are_not_in_the_catalog():
    rows = [CatalogRow(id=name, path=name, parent="gone") for name in "ab"] + [CatalogRow(id="c", path="c")]
    assert [[row.id for row in family] for family in families(rows)] == [["a", "b"], ["c"]]


def test_a_catalog_that_contradicts_itself_is_an_error():
    rows = [CatalogRow(id=name, path=name, run="r", split=split) for name, split in [("a", "train"), ("b", "test")]]
    with pytest.raises(ValueError, match="the family of a stands on several sides"):
        assign_splits(rows, 0)
    with pytest.raises(ValueError, match="run r stands on several sides"):
        check_splits(rows, {"a": "train", "b": "test"})


def zoo_of(**counts: int) -> list[CatalogRow]:
    """Rows of some architectures, a run each; underscores stand for hyphens."""
    labels = [label.replace("_", "-") for label, count in counts.items() for _ in range(count)]
    return [CatalogRow(id=f"x{i}", path="x", run=f"x{i}", architecture=label) for i, label in enumerate(labels)]


def test_held_out_architectures_are_the_test_split_and_nothing_else():
    rows = zoo_of(cnn_relu_8=10, cnn_gelu_16=10, mlp_relu_64x64=10, mlp_relu_8=200)
    splits = assign_splits(rows, 0, "cnn-*, mlp-relu-64*")
    assert {row.architecture for row in rows if splits[row.id] == "test"} == {
        "cnn-relu-8",
        "cnn-gelu-16",
        "mlp-relu-64x64",
    }
    rest = Counter(splits[row.id] for row in rows if row.architecture == "mlp-relu-8")
    assert set(rest) == {"train", "validation"}
    assert rest["train"] / 200 == pytest.approx(0.8, abs=0.08)


def test_what_is_trained_on_anyway_stays_where_it_is_when_architectures_are_held_out():
    rows = zoo_of(cnn=10, mlp=200)
    plain, held_out = assign_splits(rows, 4), assign_splits(rows, 4, "cnn")
    assert all(held_out[row.id] == plain[row.id] for row in rows[10:] if plain[row.id] != "test")
    assert assign_splits(rows, 4, "") == plain


def test_relatives_of_held_out_networks_are_held_out():
    rows = zoo_of(cnn=2, mlp=20)
    child = CatalogRow(id="child", path="c", parent="x0", architecture="mlp")
    assert assign_splits([*rows, child], 0, "cnn")["child"] == "test"


def test_what_the_catalog_seals_stays_sealed_and_what_it_states_else_gives_way():
    rows = [CatalogRow(id=side, path="x", architecture="cnn", split=side) for side in SPLITS]
    assert set(assign_splits(rows, 0, "cnn").items()) == {
        *((side, "test") for side in ("train", "validation", "test")), ("zero-shot", "zero-shot"),
    }  # fmt: skip


def test_a_pattern_that_nothing_matches_is_an_error():
    with pytest.raises(NotFoundError, match="no architecture of the zoo matches 'CNN") as found:
        assign_splits(zoo_of(cnn=2, mlp=2), 0, "mlp,CNN*")
    assert found.value.hint == "known are cnn, mlp"
