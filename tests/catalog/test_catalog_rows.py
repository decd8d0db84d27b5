import json

import pytest

from wembed.catalog import COLUMNS, CatalogRow

ROW = CatalogRow(id="a", path="a.safetensors", params=3, accuracy=0.5, hyperparameters={"lr": 0.1}, step=4)


def test_row_survives_json():
    assert CatalogRow.from_json(ROW.to_json()) == ROW


def test_unknown_columns_are_passed_over_and_missing_ones_are_empty():
    row = CatalogRow.from_json('{"id": "a", "path": "p", "from_the_future": 1}')
    assert row == CatalogRow(id="a", path="p")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[]", "expected a JSON object with an id and a path"),
        ('{"id": "a"}', "expected a JSON object with an id and a path"),
        ('{"id": "a", "path": "p", "params": "many"}', "params is 'many'"),
        ('{"id": "a", "path": "p", "step": true}', "step is True"),
    ],
)
def test_wrong_rows_say_why(line, reason):
    with pytest.raises(ValueError, match=reason):
        CatalogRow.from_json(line)


def test_a_whole_number_is_a_number():
    assert CatalogRow.from_json('{"id": "a", "path": "p", "accuracy": 1}').accuracy == 1


def test_row_is_one_line_without_what_is_not_known():
    line = CatalogRow(id="a\nb", path="p").to_json()
    assert "\n" not in line
    assert json.loads(line) == {"id": "a\nb", "path": "p", "params": 0, "bytes": 0}
    assert len(COLUMNS) == len(CatalogRow(id="a", path="p").as_dict())
