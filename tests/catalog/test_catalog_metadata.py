from collections.abc import Callable
from pathlib import Path

import pytest

from wembed.catalog import GivenMetadata, load_metadata
from wembed.errors import NotFoundError, UsageError


@pytest.fixture
def read(tmp_path) -> Callable[[str], GivenMetadata]:
    def write_and_read(text: str) -> GivenMetadata:
        (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
        return load_metadata(tmp_path / "rows.csv")

    return write_and_read


def test_values_come_by_path_beside_the_file_from_here_or_absolute(read, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "a.pt").touch()
    (tmp_path / "here" / "b.pt").touch()
    monkeypatch.chdir(tmp_path / "here")
    given = read(f"\ufeffpath,accuracy,step\na.pt,0.5,3\nb.pt,.25,\n{tmp_path}/c.pt,1,0\n")
    assert given.values_for(tmp_path / "a.pt", "") == {"accuracy": 0.5, "step": 3}
    assert given.values_for(Path("b.pt"), "") == {"accuracy": 0.25}
    assert given.unmatched() == [f"{tmp_path}/c.pt"]


def test_values_come_by_file_name_or_id(read):
    by_file = read("file,license,test_accuracy\na.pt,MIT,0.5\n")
    assert by_file.values_for(Path("/x/a.pt"), "") == {"licence": "MIT", "accuracy": 0.5}
    assert read("id,dataset\nm,mnist\n").values_for(Path("/a.pt"), "m") == {"dataset": "mnist"}


def test_hyperparameters_are_numbers_where_they_can_be(read):
    given = read("id,hyperparameters.lr,hyperparameters.depth,hyperparameters.opt\nm,0.1,3,adam\n")
    assert given.values_for(Path("m"), "m") == {"hyperparameters": {"lr": 0.1, "depth": 3, "opt": "adam"}}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("id,acuracy\n", "column 'acuracy' cannot be given", "did you mean accuracy?"),
        ("id,sha256\n", "column 'sha256' cannot be given", "known are source, "),
        ("accuracy\n", "has none of the columns path, file, id", "one of them says"),
        ("", "has none of the columns path, file, id", "one of them says"),
        ("id,loss,loss\n", "gives the column loss twice", ""),
        ("id,license,licence\n", "gives the column license twice", ""),
        ("id,loss\na,1\nb,low\n", "line 3: loss is 'low', expected a number", ""),
        ("id,loss\na,nan\n", "line 2: loss is 'nan', expected a finite number", ""),
        ("id,step\na,1.5\n", "line 2: step is '1.5', expected a whole number", ""),
        ("id,accuracy\na,98.5\n", "line 2: accuracy is '98.5', expected a share from 0 to 1", ""),
        ("id,loss\na,1,2\n", "line 2: as many values as columns are expected", ""),
        ("id,loss\na\n", "line 2: as many values as columns are expected", ""),
        ("id,loss\na,1\na,2\n", "line 3: a second line about a", ""),
    ],
)
def test_a_wrong_file_says_what_and_where(read, text, message, hint):
    with pytest.raises(UsageError) as caught:
        read(text)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_missing_file_and_one_that_is_no_text(tmp_path):
    with pytest.raises(NotFoundError, match="no metadata file at "):
        load_metadata(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"binary.csv is no CSV file"):
        load_metadata(tmp_path / "binary.csv")
