"""`wembed evaluate` on a zoo of trained networks."""

import json
import shutil
from pathlib import Path

import pytest
from trained_zoo import Kind, make_zoo


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
    assert {row["encoder"] for row in rows if row["task"] == "retrieval-noised"} == {"stats", "cosine"}


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
        (["-o", "results.txt"], 2, "cannot write results.txt: expected a .json file"),
        (["-o", "nowhere/results.json"], 3, "cannot write nowhere/results.json: there is no folder nowhere"),
        (["--encoder", "gmn"], 3, "no encoder named gmn"),
        (["--zoo", "nowhere"], 3, "no zoo at nowhere"),
        (["--gpu", "--device", "cpu"], 2, "--gpu and --device cpu contradict each other"),
    ],
)
def test_a_wrong_call_is_refused_before_any_work(run, zoo, arguments, code, error):
    result = run("evaluate", *arguments)
    assert result.code == code
    assert error in result.err
    assert not result.out
