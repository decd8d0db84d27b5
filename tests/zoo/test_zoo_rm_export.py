import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from wembed.catalog import COLUMNS, CatalogRow, Zoo, find_rows
from wembed.errors import NotFoundError, WembedError
from wembed.zoo import add, export_rows, format_of, plan_removal, remove, save_rows


def entered(zoo: Zoo, name: str, **values) -> CatalogRow:
    """A row with a file in the zoo's own folder."""
    row = CatalogRow(id=name, path=f"checkpoints/{name}.pt", **values)
    zoo.path_of(row).write_text(name)
    zoo.append([row])
    return row


def ids(zoo: Zoo) -> list[str]:
    return [row.id for row in zoo.rows()]


def test_rows_and_the_zoos_own_files_go(zoo):
    a, b, c = (entered(zoo, name) for name in "abc")
    removals = remove(zoo, [a, c])
    assert [(one.row.id, one.file) for one in removals] == [("a", "deleted"), ("c", "deleted")]
    assert ids(zoo) == ["b"]
    assert [path.name for path in (zoo.root / "checkpoints").iterdir()] == ["b.pt"]
    assert zoo.rows() == [b]


def test_planning_writes_nothing(zoo):
    a = entered(zoo, "a")
    before = (zoo.root / "catalog.jsonl").read_bytes()
    assert plan_removal(zoo, [a])[0].file == "deleted"
    assert (zoo.root / "catalog.jsonl").read_bytes() == before
    assert zoo.path_of(a).exists()


@pytest.mark.parametrize(
    "path", ["{outside}/a.pt", "checkpoints/../kept.pt", "checkpoints/..", "checkpoints", "specs/a.pt"]
)
def test_files_elsewhere_stay(zoo, tmp_path, path):
    path = path.format(outside=tmp_path)
    row = CatalogRow(id="a", path=path)
    if not zoo.path_of(row).exists():
        zoo.path_of(row).write_text("a")
    zoo.append([row])
    assert remove(zoo, [row])[0].file == "kept"
    assert zoo.path_of(row).exists()
    assert ids(zoo) == []


def test_a_link_is_deleted_and_not_what_it_leads_to(zoo, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "a.pt").touch()
    (zoo.root / "checkpoints" / "folder").symlink_to(tmp_path / "far")
    (zoo.root / "checkpoints" / "a.pt").symlink_to(tmp_path / "far" / "a.pt")
    rows = [CatalogRow(id="a", path="checkpoints/a.pt"), CatalogRow(id="b", path="checkpoints/folder/a.pt")]
    zoo.append(rows)
    assert [one.file for one in remove(zoo, rows)] == ["deleted", "kept"]
    assert (tmp_path / "far" / "a.pt").exists()
    assert not (zoo.root / "checkpoints" / "a.pt").is_symlink()


def test_a_folder_goes_as_a_whole_unless_another_row_lies_in_it(zoo):
    folder = zoo.root / "checkpoints" / "sharded"
    folder.mkdir()
    (folder / "x.pt").touch()
    rows = [CatalogRow(id="a", path="checkpoints/sharded"), CatalogRow(id="b", path="checkpoints/sharded/x.pt")]
    zoo.append(rows)
    assert remove(zoo, rows[:1])[0].file == "kept"
    zoo.append(rows[:1])
    assert [one.file for one in remove(zoo, rows)] == ["deleted", "deleted"]
    assert not folder.exists()


def test_children_stay_with_their_parents_name(zoo):
    a, b = entered(zoo, "a"), entered(zoo, "b")
    for name, parents in (("x", ("a", None)), ("y", ("b", "a"))):
        entered(zoo, name, parent=parents[0], other_parent=parents[1])
    assert {one.row.id: one.children for one in remove(zoo, [a, b])} == {"a": ("x", "y"), "b": ("y",)}
    assert [(row.parent, row.other_parent) for row in zoo.rows()] == [("a", None), ("b", "a")]


def test_a_file_that_is_gone_already_is_no_trouble(zoo):
    a = entered(zoo, "a")
    zoo.path_of(a).unlink()
    assert remove(zoo, [a])[0].file == "missing"
    assert ids(zoo) == []


def test_what_cannot_be_deleted_is_said(zoo, monkeypatch):
    a = entered(zoo, "a")

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".pt":
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    (removal,) = remove(zoo, [a])
    assert removal.file == "kept"
    assert str(removal.error) == f"cannot delete {zoo.path_of(a)}: permission denied"


def test_an_unknown_id_removes_nothing(zoo):
    entered(zoo, "a")
    with pytest.raises(NotFoundError, match="b: no such file, and no such id"):
        find_rows(zoo, ["a", "b"])


KILLED = """
import os, pathlib, signal, sys
from wembed.catalog import Zoo
from wembed.zoo import remove
count = 0
def counted(whole):
    def call(*arguments, **named):
        global count
        count += 1
        if count == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*arguments, **named)
    return call
os.fsync = counted(os.fsync)
pathlib.Path.replace = counted(pathlib.Path.replace)
pathlib.Path.unlink = counted(pathlib.Path.unlink)
zoo = Zoo.open(pathlib.Path(sys.argv[1]))
remove(zoo, zoo.rows()[:2])
"""


@pytest.mark.parametrize("moment", range(1, 5))
def test_a_kill_leaves_no_row_without_its_file(zoo, moment):
    for name in "abc":
        entered(zoo, name)
    process = subprocess.run([sys.executable, "-c", KILLED, str(zoo.root), str(moment)], check=False)
    assert process.returncode == -9
    assert ids(zoo) in (["a", "b", "c"], ["c"])
    assert all(zoo.path_of(row).exists() for row in zoo.rows())
    remove(zoo, [row for row in zoo.rows() if row.id != "c"])
    assert ids(zoo) == ["c"]


def test_what_is_appended_meanwhile_is_not_lost(zoo):
    entered(zoo, "a")
    append = (
        "import sys, pathlib; from wembed.catalog import CatalogRow, Zoo\n"
        "zoo = Zoo.open(pathlib.Path(sys.argv[1]))\n"
        "for n in range(30): zoo.append([CatalogRow(id=f'n{n}', path='p')])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", append, str(zoo.root)])
    while process.poll() is None:
        remove(zoo, [entered(zoo, "gone")])
    assert process.returncode == 0
    assert set(ids(zoo)) == {"a", *(f"n{number}" for number in range(30))}


@pytest.fixture
def filled(zoo) -> Zoo:
    entered(zoo, "a", accuracy=0.1, step=3, hyperparameters={"learning_rate": 0.1, "classes": [1, 2], "kind": "x"})
    entered(zoo, 'b"\t,', run="r", hyperparameters={"learning_rate": 1, "kind": 2})
    return zoo


def test_csv_and_tsv_have_every_hyperparameter_as_a_column(filled):
    for name, delimiter in (("csv", ","), ("tsv", "\t")):
        rows = list(csv.DictReader(io.StringIO(export_rows(filled, name).decode()), delimiter=delimiter))
        assert list(rows[0]) == [
            *(column for column in COLUMNS if column != "hyperparameters"),
            "hyperparameters.classes", "hyperparameters.kind", "hyperparameters.learning_rate",
        ]  # fmt: skip
        assert [row["id"] for row in rows] == ["a", 'b"\t,']
        assert [row["hyperparameters.learning_rate"] for row in rows] == ["0.1", "1"]
        assert (rows[0]["accuracy"], rows[1]["accuracy"]) == ("0.1", "")
        assert rows[0]["path"] == str(filled.root / "checkpoints" / "a.pt")


def test_parquet_keeps_types(filled, tmp_path):
    save_rows(filled, "parquet", tmp_path / "x.parquet")
    table = pandas.read_parquet(tmp_path / "x.parquet")
    assert table["hyperparameters.learning_rate"].tolist() == [0.1, 1.0]
    assert table["hyperparameters.kind"].tolist() == ["x", "2"]
    assert list(table["hyperparameters.classes"][0]) == [1, 2]
    assert table["accuracy"].dtype == "float64"
    assert table["step"].tolist()[0] == 3
    assert table["change"].isna().all()
    assert {path.name for path in tmp_path.iterdir()} == {"zoo", "x.parquet"}


def test_json_keeps_everything(filled):
    rows = json.loads(export_rows(filled, "json"))
    assert rows == [json.loads(line) for line in export_rows(filled, "jsonl").splitlines()]
    assert list(rows[0]) == list(COLUMNS)
    assert rows[0]["hyperparameters"] == {"learning_rate": 0.1, "classes": [1, 2], "kind": "x"}


@pytest.mark.parametrize("name", ["csv", "tsv", "parquet", "json", "jsonl"])
def test_an_empty_zoo_is_an_empty_table(zoo, tmp_path, name):
    save_rows(zoo, name, tmp_path / "x")
    if name == "parquet":
        assert len(pandas.read_parquet(tmp_path / "x")) == 0
    elif name in ("csv", "tsv"):
        assert (tmp_path / "x").read_text().count("\n") == 1


def test_a_place_that_is_not_there_is_said(filled, tmp_path):
    with pytest.raises(WembedError, match=r"cannot write .*nowhere/x.csv: no such file or directory"):
        save_rows(filled, "csv", tmp_path / "nowhere" / "x.csv")


def test_the_ending_says_the_format():
    assert [format_of(Path(name)) for name in ("a.csv", "a.PARQUET", "a.jsonl", "a.txt", "a")] == [
        "csv", "parquet", "jsonl", None, None,
    ]  # fmt: skip


def test_a_removed_file_can_be_added_again(zoo, write, tmp_path):
    write(tmp_path / "m.safetensors")
    add(zoo, [tmp_path / "m.safetensors"])
    remove(zoo, zoo.rows())
    add(zoo, [tmp_path / "m.safetensors"])
    assert ids(zoo) == ["m"]
