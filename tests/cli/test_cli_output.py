import csv
import io
import json
import math
from pathlib import Path

import pytest

from wembed.cli.output import Output

ROWS = [
    {"id": "a", "score": 0.123456789, "params": 5, "free": True, "tensors": ["x", "y"], "note": None},
    {"id": "tab\there\x1b[31m", "score": math.nan, "params": 12345, "free": False, "tensors": [], "note": "[red]é"},
]
COLUMNS = ("id", "score", "params", "free", "tensors", "note")


def written(capsys, name, rows=ROWS) -> str:
    Output(name, quiet=False).rows(rows, COLUMNS)
    return capsys.readouterr().out


def test_json_is_whole_and_exact(capsys):
    first, second = json.loads(written(capsys, "json"))
    assert first == ROWS[0]
    assert list(first) == list(COLUMNS)
    assert second["score"] is None
    assert second["id"] == ROWS[1]["id"]


def test_jsonl_is_one_row_per_line(capsys):
    assert [json.loads(line)["params"] for line in written(capsys, "jsonl").splitlines()] == [5, 12345]


@pytest.mark.parametrize("name", ["jsonl", "tsv", "csv", "ids"])
def test_a_row_is_written_before_the_next_one_is_asked_for(capsys, name):
    written_before = []

    def rows():
        for row in ROWS:
            written_before.append(len(capsys.readouterr().out))
            yield row

    Output(name, quiet=False).rows(rows(), COLUMNS)
    assert written_before[1] > 0


def test_tsv_has_a_header_and_one_line_per_row(capsys):
    assert written(capsys, "tsv").splitlines() == [
        "id\tscore\tparams\tfree\ttensors\tnote",
        "a\t0.123456789\t5\ttrue\tx,y\t",
        "tab\\there\\x1b[31m\t\t12345\tfalse\t\t[red]é",
    ]


def test_csv_is_read_back_by_any_reader(capsys):
    first, second = csv.DictReader(io.StringIO(written(capsys, "csv")))
    assert first["tensors"] == "x,y"
    assert second["note"] == "[red]é"


def test_ids_are_ids(capsys):
    assert written(capsys, "ids").splitlines() == ["a", "tab\\there\\x1b[31m"]


def test_rows_within_a_row_are_json(capsys):
    Output("tsv", quiet=False).rows([{"layers": [{"layer": "0", "identical": True}]}], ("layers",))
    assert json.loads(capsys.readouterr().out.splitlines()[1]) == [{"layer": "0", "identical": True}]


def test_a_table_aligns_numbers_and_obeys_no_markup(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    header, _, first, second = written(capsys, "table").splitlines()
    assert first.index("0.1235") + len("0.1235") == header.index("score") + len("score")
    assert header.index("params") + len("params") == second.index("12345") + len("12345")
    assert "[red]é" in second
    assert "\x1b" not in second


@pytest.mark.parametrize("name", ["tsv", "csv", "json", "jsonl", "ids"])
def test_nothing_is_a_bare_header_or_an_empty_array(capsys, name):
    expected = {"tsv": "\t".join(COLUMNS), "csv": ",".join(COLUMNS), "json": "[]", "jsonl": "", "ids": ""}
    assert written(capsys, name, []).rstrip("\n") == expected[name]


def test_the_format_follows_terminal_and_flags(monkeypatch):
    assert Output.choose("auto", json=False, quiet=False).format == "tsv"
    assert Output.choose("auto", json=False, quiet=True).format == "ids"
    assert Output.choose("auto", json=True, quiet=True) == Output("json", quiet=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert Output.choose("auto", json=False, quiet=False).format == "table"


def test_progress_shows_only_on_a_terminal(capsys, monkeypatch):
    for is_terminal, quiet, shown in ((False, False, False), (True, True, False), (True, False, True)):
        monkeypatch.setattr("sys.stderr.isatty", lambda is_terminal=is_terminal: is_terminal, raising=False)
        with Output("tsv", quiet).progress("embedding") as progress:
            progress(1, 2)
        captured = capsys.readouterr()
        assert ("embedding" in captured.err) == shown
        assert captured.out == ""


def test_the_next_command_can_be_pasted(capsys):
    Output("tsv", quiet=False).next_command("search", "a b.pt", zoo=Path("my zoo"))
    Output("tsv", quiet=False).next_command("zoo", "add", "FOLDER", zoo=Path("zoo"))
    Output("tsv", quiet=True).next_command("search", "a")
    Output("json", quiet=False).next_command("search", "a")
    assert capsys.readouterr().err.splitlines() == [
        "next: wembed search 'a b.pt' --zoo 'my zoo'",
        "next: wembed zoo add FOLDER",
    ]


def test_a_name_that_looks_like_an_option_is_kept_from_being_one(capsys):
    Output("tsv", quiet=False).next_command("zoo", "show", "-x", zoo=Path("other"))
    assert capsys.readouterr().err == "next: wembed zoo show --zoo other -- -x\n"
