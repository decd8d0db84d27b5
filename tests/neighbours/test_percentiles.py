import numpy as np
import pytest
from embeddings import clustered, filled_table, row_of

from wembed.neighbours import percentiles_of
from wembed.store import EmbeddingTable

ROWS = 300


@pytest.fixture
def table(tmp_path) -> EmbeddingTable:
    return filled_table(tmp_path, clustered(ROWS, np.random.default_rng(0)))


def pair_scores(table: EmbeddingTable) -> np.ndarray:
    vectors = np.concatenate([block.vectors for block in table.blocks()]).astype(np.float64)
    return (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]


def test_a_percentile_is_the_share_of_pairs_that_are_no_more_alike(table):
    percentiles = percentiles_of(table)
    scores = pair_scores(table)
    for level in (1.0, 50.0, 90.0, 99.0):
        assert percentiles.of(np.percentile(scores, level)) == pytest.approx(level, abs=1.5)


def test_what_is_more_alike_than_any_pair_is_at_the_top_and_less_at_the_bottom(table):
    percentiles = percentiles_of(table)
    assert (percentiles.of(1.0), percentiles.of(-1.0)) == (100.0, 0.0)


def test_of_a_small_table_all_pairs_count(tmp_path):
    table = filled_table(tmp_path, clustered(5, np.random.default_rng(0)))
    scores = np.sort(pair_scores(table))
    assert percentiles_of(table).of(scores[-1]) == 100.0
    assert percentiles_of(table).of(scores[0]) == pytest.approx(0.0, abs=0.01)
    assert percentiles_of(table).of(scores[3]) == pytest.approx(100 * 3 / 9, abs=1.0)


def test_percentiles_are_kept_with_the_table(table, tmp_path, monkeypatch):
    first = percentiles_of(table)
    monkeypatch.setattr("wembed.neighbours.percentile._random_scores", lambda *_: pytest.fail("computed again"))
    assert percentiles_of(EmbeddingTable(str(tmp_path), "made-up", 256)) == first


def test_percentiles_are_drawn_anew_once_the_table_has_grown_by_a_tenth(table):
    first = percentiles_of(table)
    for more, is_kept in ((ROWS // 20, True), (ROWS // 5, False)):
        vectors = clustered(more, np.random.default_rng(1))
        table.upsert({row_of(ROWS + place): vector for place, vector in enumerate(vectors)})
        assert (percentiles_of(table) == first) == is_kept


def test_the_same_table_gives_the_same_percentiles(tmp_path):
    tables = [filled_table(tmp_path / name, clustered(50, np.random.default_rng(0))) for name in "ab"]
    first, second = map(percentiles_of, tables)
    assert first == second


@pytest.mark.parametrize("rows", [0, 1])
def test_without_a_pair_there_are_no_percentiles(tmp_path, rows):
    assert percentiles_of(filled_table(tmp_path, clustered(rows, np.random.default_rng(0)))) is None


@pytest.mark.parametrize("kept", ["", "[]", "nothing", '{"rows": 300}', '{"rows": 300, "scores": [1, 2]}'])
def test_what_another_version_kept_is_made_anew(table, kept):
    first = percentiles_of(table)
    table.dataset.update_config({"wembed.percentiles": kept})
    assert percentiles_of(table) == first


def test_a_table_that_can_not_be_written_has_percentiles_all_the_same(table, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError("read only")

    monkeypatch.setattr(type(table.dataset), "update_config", refuse)
    assert percentiles_of(table).of(1.0) == 100.0
