"""The README's main job and the questions after it, for real; minutes, so only with -m slow."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_readme import README, commands

from wembed.catalog import Zoo
from wembed.checkpoint import open_checkpoint
from wembed.cli.app import app
from wembed.models import load_dataset, load_module, score
from wembed.zoo import verify

pytestmark = pytest.mark.slow

MAIN = "from wembed.cli.app import app; app(prog_name='wembed')"
COPIES = 200
MODULES = 100


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """What `wembed experiment --small` leaves."""
    folder = tmp_path_factory.mktemp("readme")
    (words,) = commands("main")
    subprocess.run([sys.executable, "-c", MAIN, *words, "-q"], cwd=folder, check=True)
    return folder / "results" / "small"


@pytest.fixture
def ask(monkeypatch, capsys, results):
    """Calls the command line beside the results."""
    monkeypatch.chdir(results.parent.parent)
    monkeypatch.setenv("WEMBED_ZOO", "results/small/zoo")

    def call(*words: str) -> list[dict]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            app([*words, "--json"], prog_name="wembed")
        assert not left.value.code
        return json.loads(capsys.readouterr().out)

    return call


def test_the_report_is_complete(results):
    assert {path.name for path in results.iterdir()} >= {"results.md", "results.json", "log.txt", "figures", "zoo"}
    assert len(list((results / "figures").glob("*.png"))) >= 5
    assert not verify(Zoo.open(results / "zoo"))


def test_the_gnn_is_what_the_readme_says(results, record_property):
    found = {
        (row["task"], row["encoder"], row["metric"], row["split"]): row["value"]
        for row in json.loads((results / "results.json").read_text())["results"]
        if row["target"] in ("", "accuracy")
    }
    snapshot = {name: found["retrieval-snapshot", name, "recall@1", "test"] for name in ("gnn", "fingerprint", "stats")}
    tau = {name: found["prediction", name, "tau", "test"] for name in ("gnn", "stats")}
    removed = found["merging", "aligned", "barrier_removed", "test:digits-mlp-relu-32x32"]
    for name, value in (("snapshot recall@1", snapshot["gnn"]), ("tau", tau["gnn"]), ("barrier removed", removed)):
        record_property(name, value)
    assert snapshot["gnn"] >= 0.95
    assert snapshot["gnn"] > max(snapshot["fingerprint"], snapshot["stats"])
    assert tau["gnn"] > tau["stats"]
    assert removed >= 0.85
    assert abs(found["prediction", "gnn (shuffled labels)", "tau", "test"]) < 0.1


def test_the_questions_have_the_answers_of_the_readme(ask):
    answers = {words[0]: ask(*words) for words in commands("questions")}
    shown = dict(re.findall(r"^ +\d +(\S+) +(\d\.\d{4}) ", README, re.MULTILINE))
    assert shown
    found = {row["id"]: row["score"] for row in answers["search"]}
    assert found == pytest.approx({name: float(score) for name, score in shown.items()}, abs=0.02)


def test_shuffled_and_rescaled_copies_are_found(ask, results, record_property):
    rows = Zoo.open(results / "zoo").rows()
    least = 1.0
    for place in np.random.default_rng(0).choice(len(rows), COPIES, replace=False):
        ask("permute", rows[place].id, "-o", "copy.safetensors", "--rescale", "--seed", "1")
        (first,) = ask("search", "copy.safetensors", "-k", "1")
        assert first["id"] == rows[place].id
        least = min(least, first["score"])
    record_property("1 - least score of a copy", 1 - least)
    assert least >= 0.9999


def test_networks_come_back_from_their_files_as_they_were_measured(results):
    zoo = Zoo.open(results / "zoo")
    rows = zoo.rows()
    for place in np.random.default_rng(1).choice(len(rows), MODULES, replace=False):
        row = rows[place]
        data = load_dataset(row.dataset)
        module = load_module(open_checkpoint(zoo.path_of(row)))
        assert score(module, data.test_inputs, data.test_labels).accuracy == row.accuracy
