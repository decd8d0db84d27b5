from collections import Counter, defaultdict

import numpy as np
import pytest

from wembed.catalog import SPLITS, CatalogRow, assign_splits, check_splits, families


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
