import subprocess
import sys
from pathlib import Path

import pytest

from wembed.catalog import LAYOUT, CatalogRow, Zoo
from wembed.errors import NotFoundError, WembedError

APPEND = """
import sys
from pathlib import Path
from wembed.catalog import CatalogRow, Zoo
zoo = Zoo.open(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    zoo.append([CatalogRow(id=f"{sys.argv[2]}{number}", path="p")])
    print(number, flush=True)
"""


@pytest.fixture
def zoo(tmp_path) -> Zoo:
    return Zoo.create(tmp_path / "zoo")


def row(name: str, **values) -> CatalogRow:
    return CatalogRow(id=name, path=f"{name}.pt", **values)


def appender(zoo: Zoo, prefix: str, count: int) -> subprocess.Popen:
    command = [sys.executable, "-c", APPEND, str(zoo.root), prefix, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_missing_zoo_says_how_to_make_one(tmp_path):
    with pytest.raises(NotFoundError, match=r"no zoo at .*my zoo") as caught:
        Zoo.open(tmp_path / "my zoo")
    place = f"'{tmp_path / 'my zoo'}'"
    expected = f"make one with `wembed zoo build --zoo {place}`, or with `wembed zoo add FOLDER --zoo {place}`"
    assert caught.value.hint == expected


def test_a_zoo_that_cannot_be_made_says_why(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WembedError, match=r"cannot make a zoo at .*file/zoo: not a directory"):
        Zoo.create(tmp_path / "file" / "zoo")


def test_a_new_zoo_has_its_folders_and_no_rows(zoo):
    assert all((zoo.root / name).is_dir() for name in LAYOUT)
    assert Zoo.open(zoo.root).rows() == []


def test_the_last_row_of_an_id_wins_and_keeps_its_place(zoo):
    zoo.append([row("a"), row("b")])
    zoo.append([row("a", step=1)])
    assert zoo.rows() == [row("a", step=1), row("b")]


@pytest.mark.parametrize("torn", [b'{"id": "c", "pa', b"\0\0\0", b"garb\xffage"])
def test_a_torn_last_line_is_dropped_and_never_glued_to_the_next(zoo, torn):
    zoo.append([row("a")])
    with (zoo.root / "catalog.jsonl").open("ab") as file:
        file.write(torn)
    assert zoo.rows() == [row("a")]
    zoo.append([row("b")])
    assert zoo.rows() == [row("a"), row("b")]


def test_a_last_row_that_lacks_only_its_newline_is_kept(zoo):
    (zoo.root / "catalog.jsonl").write_text(row("a").to_json())
    assert zoo.rows() == [row("a")]
    zoo.append([row("b")])
    assert zoo.rows() == [row("a"), row("b")]


def test_a_bad_line_is_named(zoo):
    (zoo.root / "catalog.jsonl").write_text(row("a").to_json() + "\nbad\n" + row("b").to_json() + "\n")
    with pytest.raises(WembedError, match=r"catalog.jsonl line 2 is no catalog row: Expecting value") as caught:
        zoo.rows()
    assert caught.value.hint == "mend or delete that line"


def test_a_lock_that_stays_is_an_error_not_a_hang(zoo, monkeypatch):
    monkeypatch.setattr("wembed.catalog.zoo.LOCK_TIMEOUT", 0.05)
    with zoo.locked(), pytest.raises(WembedError, match=r"zoo .* has been locked for 0 s"):
        Zoo.open(zoo.root).append([row("a")])
    Zoo.open(zoo.root).append([row("a")])


def test_paths_inside_are_relative_and_others_absolute(zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert zoo.stored_path(Path("zoo/checkpoints/../checkpoints/a.pt")) == "checkpoints/a.pt"
    assert zoo.stored_path(Path("b.pt")) == str(tmp_path / "b.pt")
    assert zoo.path_of(CatalogRow(id="a", path="checkpoints/a.pt")) == zoo.root / "checkpoints/a.pt"
    assert zoo.path_of(CatalogRow(id="b", path="/b.pt")) == Path("/b.pt")


def test_processes_that_append_at_once_lose_nothing(zoo):
    running = [appender(zoo, prefix, 20) for prefix in "abc"]
    assert [process.communicate() and process.returncode for process in running] == [0, 0, 0]
    assert {row.id for row in zoo.rows()} == {f"{prefix}{number}" for prefix in "abc" for number in range(20)}


def test_a_killed_process_leaves_every_row_that_it_had_appended(zoo):
    process = appender(zoo, "a", 100_000)
    assert process.stdout
    said = [process.stdout.readline() for _ in range(20)]
    process.kill()
    said += process.communicate()[0].splitlines()
    whole = {f"a{int(line)}" for line in said[:-1]}
    assert whole <= {row.id for row in zoo.rows()}
    zoo.append([row("b")])
    assert zoo.rows()[-1] == row("b")
