"""What is told of networks that the heads were not fitted for: nothing."""

import numpy as np
import pytest

from wembed.catalog import CatalogRow
from wembed.prediction import Predictions, fitted_structures, withhold

FOUND = Predictions(np.array([0.5, 0.6, 0.7]), np.zeros(3), np.ones(3), np.array([True, True, False]))


def row(run: str, structure: str, accuracy: float | None = 0.5, split: str = "train") -> CatalogRow:
    name = f"{run}-{structure}"
    return CatalogRow(
        id=name, path=f"{name}.safetensors", structure=structure, run=run, accuracy=accuracy, split=split
    )  # fmt: skip


def test_far_networks_and_strange_structures_get_no_accuracy():
    kept = withhold(FOUND, np.array([True, False, True]))
    assert kept.in_domain.tolist() == [True, False, False]
    for part, whole in ((kept.values, FOUND.values), (kept.low, FOUND.low), (kept.high, FOUND.high)):
        assert np.array_equal(part, [whole[0], np.nan, np.nan], equal_nan=True)


def test_what_is_inside_stays_as_it_is():
    kept = withhold(FOUND, np.ones(3, dtype=bool))
    assert np.array_equal(kept.values[:2], FOUND.values[:2])
    assert np.array_equal(kept.in_domain, FOUND.in_domain)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("a", "s"), row("b", "s")], {"s"}),
        ([row("a", "s"), row("b", "t")], set()),  # one network of a structure shows no kind
        ([row("a", "s"), row("b", "s", accuracy=None)], set()),
        ([row("a", "s"), row("b", "s", split="validation")], set()),
        ([row("a", ""), row("b", "")], set()),
    ],
)
def test_structures_are_known_by_training_runs_with_accuracies(rows, expected):
    assert fitted_structures(rows, {each.id: np.zeros(2) for each in rows}, 0) == expected


def test_rows_without_an_embedding_do_not_count():
    assert not fitted_structures([row("a", "s"), row("b", "s")], {"a-s": np.zeros(2)}, 0)
