"""`wembed evaluate` on a zoo of trained networks."""

import json
import os
import shutil
from pathlib import Path

import pytest
from trained_zoo import Kind, make_zoo

from wembed.catalog import Zoo
from wembed.errors import WembedError
from wembed.evaluate import Evaluation, Predicted
from wembed.report.results_file import to_text


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return make_zoo(tmp_path_factory.mktemp("evaluated") / "zoo", (Kind("wine", (8,), 12),)).root


@pytest.fixture
def zoo(made, folder) -> Path:
    """A zoo of 12 runs, in the working folder."""
    shutil.copytree(made, folder / "zoo")
    return Path("zoo")


def test_evaluate_gives_the_rows_of_the_contract(run, zoo):
    result = run("evaluate", "--encoder", "stats", "--json")
    assert result.code == 0
    rows = json.loads(result.out)
    assert {"task", "encoder", "metric", "value", "n", "split"} <= set(rows[0])
    assert {row["task"] for row in rows} >= {"retrieval-noised", "retrieval-snapshot", "prediction", "merging"}
    assert {row["encoder"] for row in rows if row["task"] == "retrieval-noised"} == {"stats", "cosine", "chance"}


def test_rows_go_to_parquet_as_they_are(run, zoo):
    import pyarrow.parquet

    result = run("evaluate", "--encoder", "stats", "--task", "invariance", "-o", "rows.parquet", "--json")
    table = pyarrow.parquet.read_table("rows.parquet")
    assert table.to_pylist() == json.loads(result.out)


def test_tasks_are_chosen_one_by_one(run, zoo):
    rows = json.loads(
        run("evaluate", "--encoder", "stats", "--task", "invariance", "--task", "robustness", "--json").out
    )
    assert {row["task"] for row in rows} == {"invariance", "robustness"}


def test_seeds_are_told(run, zoo):
    rows = json.loads(run("evaluate", "--encoder", "stats", "--task", "robustness", "--seeds", 2, "--json").out)
    assert {row["seeds"] for row in rows if "noise" in row["metric"]} == {2}


def test_encoders_are_given_one_by_one_the_main_one_first(run, zoo):
    rows = json.loads(run("evaluate", "--encoder", "stats", "--encoder", "fingerprint", "--json").out)
    assert list(dict.fromkeys(row["encoder"] for row in rows))[:2] == ["stats", "fingerprint"]


def test_two_runs_with_one_seed_write_the_same_file(run, zoo):
    for name in ("a.json", "b.json"):
        assert run("evaluate", "--encoder", "stats", "--seed", 2, "-o", name, "-q").code == 0
    first = Path("a.json").read_bytes()
    assert first == Path("b.json").read_bytes()
    assert json.loads(first)["facts"]["seed"] == 2
    assert not list(Path().glob(".*.partial"))


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["-o", "results.txt"], 2, "cannot write results.txt: known are .json, .parquet"),
        (["-o", "nowhere/results.json"], 3, "cannot write nowhere/results.json: there is no folder nowhere"),
        (["--task", "search"], 2, "no task named 'search'"),
        (["--compare", "a.json", "b.json"], 3, "no a.json in ."),
        (["--compare", "a.json", "b.json", "-o", "c.json"], 2, "--compare and -o contradict each other"),
        (["--compare", "a.json", "b.json", "--seed", "1"], 2, "--compare and --seed contradict each other"),
        (["--compare", "a.json", "b.json", "--zoo", "other"], 2, "--compare and --zoo contradict each other"),
        (["-o", "taken.json"], 2, "cannot write taken.json: it is a folder"),
        (["--encoder", "gmn"], 3, "no encoder named gmn"),
        (["--zoo", "nowhere"], 3, "no zoo at nowhere"),
        (["--gpu", "--device", "cpu"], 2, "--gpu and --device cpu contradict each other"),
    ],
)
def test_a_wrong_call_is_refused_before_any_work(run, zoo, arguments, code, error):
    Path("taken.json").mkdir()
    result = run("evaluate", *arguments)
    assert result.code == code
    assert error in result.err
    assert not result.out


def test_a_file_that_holds_no_results_is_refused(run, folder):
    Path("a.json").write_text("[]")
    result = run("evaluate", "--compare", "a.json", "a.json")
    assert result.code == 1
    assert "a.json holds no results: expected an object of format 1 or 2" in result.err


def test_two_evaluations_are_compared_on_the_same_draws(run, folder):
    """One that predicts well and one that predicts the opposite."""
    ids = [f"run-{number}" for number in range(20)]
    for file, sign in (("good.json", 1), ("bad.json", -1)):
        told = [
            Predicted(name, "wine", 0.02 * n, 0.5 + 0.02 * sign * n, 0.0, 1.0, True, name) for n, name in enumerate(ids)
        ]
        facts = {"main encoder": "gnn", "data": file}
        Path(file).write_text(to_text(Evaluation([], predictions={"gnn": told}, facts=facts)))
    result = run("evaluate", "--compare", "good.json", "bad.json", "--json")
    rows = json.loads(result.out)
    assert "warning: good.json and bad.json are of different data: only what both predicted is compared" in result.err
    found = {(row["encoder"], row["metric"]): row["value"] for row in rows}
    assert found["gnn-gnn", "tau_difference"] == pytest.approx(2.0)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(run, zoo, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    result = run("evaluate", "-o", "results.json")
    assert result.code == 1
    assert "cannot write results.json: no permission to write to ." in result.err


def test_rows_are_told_even_where_they_cannot_be_written(run, zoo, monkeypatch):
    def full(path, evaluation):
        raise WembedError(f"cannot write {path}: no space left on device")

    monkeypatch.setattr("wembed.cli.evaluate._write", full)
    result = run("evaluate", "--encoder", "stats", "--task", "invariance", "-o", "results.json", "--json")
    assert result.code == 1
    assert json.loads(result.out)


def test_checkpoints_that_are_passed_over_are_told(run, zoo):
    first, second = (zoo / row.path for row in Zoo.open(zoo).rows()[:2])
    first.unlink()
    second.write_bytes(b"nothing")
    result = run("evaluate", "--encoder", "stats", "--task", "invariance", "-o", "results.json")
    assert result.code == 0
    assert f"warning: 2 checkpoints of the zoo are passed over, first checkpoints/{first.name}: " in result.err
    facts = json.loads(Path("results.json").read_text())["facts"]
    assert facts["first passed over"].startswith(f"checkpoints/{first.name}: ")
