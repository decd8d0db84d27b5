import csv
import io
import json
from pathlib import Path

import pandas
import pytest

from wembed.catalog import COLUMNS


def test_csv_is_what_a_pipe_gets(run, filled):
    result = run("zoo", "export")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["accuracy"] == "0.5"
    assert set(rows[0]) == set(COLUMNS) - {"hyperparameters"}
    assert result.err == ""


@pytest.mark.parametrize("arguments", [["-o", "x.parquet"], ["--format", "parquet", "-o", "x.anything"]])
def test_a_file_is_written_whole(run, filled, arguments):
    result = run("zoo", "export", *arguments)
    assert (result.code, result.out) == (0, "")
    assert result.err == f"note: 3 rows in {arguments[-1]}\n"
    assert pandas.read_parquet(arguments[-1])["id"].tolist() == ["a", "b", "c"]
    assert run("zoo", "export", *arguments, "-q").err == ""


def test_json_lines(run, filled):
    lines = run("zoo", "export", "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--format", "parquet"], "error: parquet is not for a terminal or a pipe\n"),
        (["-o", "x.txt"], "error: x.txt does not say in which format to write\n"),
    ],
)
def test_what_cannot_be_written_is_said(run, filled, arguments, error):
    result = run("zoo", "export", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(error)
    assert not Path("x.txt").exists()
