import dataclasses
import hashlib
import json
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from wembed.catalog import Zoo
from wembed.errors import NotFoundError, UsageError, WembedError
from wembed.experiment import ExperimentOptions, run_experiment, zoo_hash
from wembed.report import read_results

TINY = {
    "name": "tiny",
    "seed": 0,
    "training": {"batch_size": 32, "snapshots": [20, 60]},
    "groups": [
        {"dataset": "digits", "architecture": {"kind": "mlp", "hidden": [8]}, "runs": 32},
        {"dataset": "wine", "architecture": {"kind": "mlp", "hidden": [8]}, "runs": 8},
        {"dataset": "breast_cancer", "architecture": {"kind": "mlp", "hidden": [8]}, "runs": 6, "sealed": True},
    ],
}
STAGES = ["building the zoo", "training gnn", "training mlp", "training pca-mlp", "evaluating", "drawing"]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("manifest") / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    return str(path)


def options_for(manifest: str, folder: Path, seed: int = 0) -> ExperimentOptions:
    command = f"wembed experiment --experiment-name {folder.name}"
    return ExperimentOptions(folder, manifest, seed, num_epochs=2, device="cpu", command=command)


@pytest.fixture(scope="module")
def done(manifest, tmp_path_factory):
    """A whole experiment, and the stages that it went through."""
    stages = []

    @contextmanager
    def show(title):
        stages.append(title)
        yield lambda part, whole: None

    folder = tmp_path_factory.mktemp("results") / "tiny"
    return run_experiment(options_for(manifest, folder), show), stages


def log_of(folder: Path) -> str:
    return (folder / "log.txt").read_text()


def test_an_experiment_goes_through_every_stage_and_leaves_its_report(done):
    result, stages = done
    assert stages == STAGES
    assert {path.name for path in result.folder.iterdir()} >= {
        "zoo",
        "log.txt",
        "results.md",
        "results.json",
        "figures",
    }
    assert len(list((result.folder / "figures").glob("*.png"))) >= 8
    assert result.left_out == {}


def test_every_encoder_is_measured_beside_the_baselines(done):
    found = {(row.encoder, row.task) for row in done[0].evaluation.results if row.value is not None}
    encoders = ("gnn", "mlp", "pca-mlp", "fingerprint", "stats", "cosine")
    assert found >= {(name, "retrieval-snapshot") for name in encoders}
    assert found >= {(name, "prediction") for name in ("gnn", "mlp", "pca-mlp", "hyperparameters")}


def test_results_are_kept_as_they_were_found(done):
    result, _ = done
    read = read_results(result.folder)
    assert len(read.results) == len(result.evaluation.results)
    assert read.facts["manifest"] == "tiny.yaml"
    assert read.facts["zoo hash"] == zoo_hash(Zoo.open(result.folder / "zoo"))


def test_only_the_log_knows_times(done):
    result, _ = done
    lines = log_of(result.folder).splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00 ", line) for line in lines)
    for stage in STAGES:
        assert any(re.search(rf"{stage}: done in \d+\.\d\d s", line) for line in lines)
    assert "torch 2." in log_of(result.folder)
    assert "threads" in log_of(result.folder)
    text = (result.folder / "results.json").read_text() + (result.folder / "results.md").read_text()
    assert not re.search(r"seconds|\d{4}-\d\d-\d\dT", text)


def test_a_second_call_trains_nothing_again_and_finds_the_same(done, manifest):
    result, _ = done
    before = (result.folder / "results.json").read_bytes()
    (result.folder / "results.json").unlink()
    run_experiment(options_for(manifest, result.folder))
    assert (result.folder / "results.json").read_bytes() == before
    assert "92 checkpoints, 0 of them new" in log_of(result.folder)
    assert log_of(result.folder).count("there already") == 3


def test_what_was_evaluated_is_not_evaluated_again_unless_it_was_touched(done, manifest):
    result, _ = done
    run_experiment(options_for(manifest, result.folder))
    before, count = (result.folder / "results.json").read_bytes(), log_of(result.folder).count("evaluating: begun")
    run_experiment(options_for(manifest, result.folder))
    assert log_of(result.folder).count("evaluating: begun") == count
    assert (result.folder / "results.json").read_bytes() == before
    (result.folder / "results.json").write_bytes(before.replace(b"recall", b"Recall"))
    run_experiment(options_for(manifest, result.folder))
    assert log_of(result.folder).count("evaluating: begun") == count + 1
    assert (result.folder / "results.json").read_bytes() == before


def test_the_inputs_name_what_the_results_depend_on(done):
    result, _ = done
    inputs = json.loads((result.folder / "inputs.json").read_text())
    assert inputs["zoo"] == zoo_hash(Zoo.open(result.folder / "zoo"))
    assert set(inputs["datasets"]) == {"digits", "wine", "breast_cancer"}
    assert set(inputs["encoders"]) == {"gnn", "mlp", "pca-mlp", "fingerprint", "stats"}
    assert inputs["results"] == hashlib.sha256((result.folder / "results.json").read_bytes()).hexdigest()
    assert inputs["versions"]["torch"].startswith("2.")
    assert inputs["command"] == "wembed experiment --experiment-name tiny"


@pytest.mark.slow
def test_one_seed_gives_one_result(done, manifest, tmp_path):
    again = run_experiment(options_for(manifest, tmp_path / "again"))
    assert (again.folder / "results.json").read_bytes() == (done[0].folder / "results.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [({"seed": 1}, "seed 0, asked for is 1"), ({"num_models": 9}, "num-models None, asked for is 9")],
)
def test_a_folder_belongs_to_one_zoo(done, manifest, change, said):
    options = dataclasses.replace(options_for(manifest, done[0].folder), **change)
    with pytest.raises(WembedError, match=said) as caught:
        run_experiment(options)
    assert "--experiment-name" in caught.value.hint


def test_a_folder_that_says_nothing_of_itself_is_refused(manifest, tmp_path):
    (tmp_path / "experiment.json").write_text("[]")
    with pytest.raises(WembedError, match="does not say what runs in its folder"):
        run_experiment(options_for(manifest, tmp_path))


def test_two_processes_do_not_work_in_one_folder(manifest, tmp_path):
    with FileLock(tmp_path / "experiment.lock"), pytest.raises(WembedError, match="another process works on"):
        run_experiment(options_for(manifest, tmp_path))


def test_a_device_that_is_not_there_is_said_before_any_work(manifest, tmp_path):
    options = dataclasses.replace(options_for(manifest, tmp_path / "x"), device="warp")
    with pytest.raises(UsageError, match="unknown device 'warp'"):
        run_experiment(options)
    assert not (tmp_path / "x").exists()


def test_a_zoo_that_is_too_small_is_said_and_logged(manifest, tmp_path):
    options = dataclasses.replace(options_for(manifest, tmp_path), num_models=6)
    with pytest.raises(NotFoundError, match="at least 4 are needed"):
        run_experiment(options)
    assert "experiment: stopped after" in log_of(tmp_path)


def test_an_interrupt_is_logged_and_the_folder_stays_claimed(manifest, tmp_path, monkeypatch):
    def interrupted(zoo, options):
        raise KeyboardInterrupt

    monkeypatch.setattr("wembed.experiment.study.build", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(options_for(manifest, tmp_path))
    assert "building the zoo: stopped after" in log_of(tmp_path)
    assert json.loads((tmp_path / "experiment.json").read_text())["seed"] == 0
    with pytest.raises(KeyboardInterrupt):  # the lock is free again
        run_experiment(options_for(manifest, tmp_path))
