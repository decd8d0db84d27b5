import csv
import io
import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from wembed.catalog import CatalogRow, Zoo
from wembed.models import load_dataset, load_module, score
from wembed.zoo import open_items, verify

TINY = """
name: tiny
seed: 5
training: {snapshots: [4, 12]}
groups:
  - {dataset: digits, architecture: {kind: mlp, hidden: [6]}, runs: 4}
  - {dataset: digits, architecture: {kind: cnn, hidden: [3]}, runs: 2}
  - {dataset: wine, architecture: {kind: mlp, hidden: [5, 4]}, runs: 2, sealed: true}
"""
STACKS = ["digits-mlp-relu-6-000-003", "digits-cnn-relu-3-000-001", "wine-mlp-relu-5x4-000-001"]
DIVERGING = TINY + "hyperparameters: {learning_rate: [1.0e+6, 1.0e+6]}\n"
# Ends the process as `kill -9` does, just before the n-th file that it syncs or puts in its place.
KILLED = """
import os, pathlib, signal
count = 0
def counted(whole):
    def call(*arguments):
        global count
        count += 1
        if count == {moment}:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*arguments)
    return call
os.fsync = counted(os.fsync)
pathlib.Path.replace = counted(pathlib.Path.replace)
"""
# A sync and a move for the record of each data set, for every file and journal and to bring the catalog into order, a
# sync for every append to it.
MOMENTS = 2 * 2 + 16 * 2 + 3 * 3 + 2
SLOW = """
import sys, time
import wembed.zoo.builder.work as work
whole = work.train
def slow(trainees, architecture, dataset, snapshots, on_step, device):
    def told(steps):
        if dataset.name == "wine" and steps == 4:
            print("slow", file=sys.stderr, flush=True)
            time.sleep(60)
    return whole(trainees, architecture, dataset, snapshots, told, device)
work.train = slow
"""


@pytest.fixture
def tiny(folder) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(TINY)
    return path


def facts(root: str) -> list[CatalogRow]:
    return [replace(row, added="") for row in Zoo(Path(root)).rows()]


def left_behind(root: str) -> list[Path]:
    return [path for path in Path(root).rglob(".*") if path.is_file()]


def test_one_row_per_stack_and_the_next_command(run, tiny):
    done = run("zoo", "build", tiny)
    assert done.code == 0
    rows = list(csv.DictReader(io.StringIO(done.out), delimiter="\t"))
    columns = "stack runs checkpoints skipped diverged accuracy_min accuracy_median accuracy_max seconds"
    assert list(rows[0]) == columns.split()
    assert [(row["stack"], row["runs"], row["checkpoints"]) for row in rows] == list(
        zip(STACKS, ["4", "2", "2"], ["8", "4", "4"], strict=True)
    )
    assert {(row["skipped"], row["diverged"]) for row in rows} == {("false", "0")}
    accuracies = [row.accuracy for row in facts("zoo")]
    low, high = min(accuracies), max(accuracies)
    assert f"note: 16 checkpoints, 16 of them new, accuracy {low:.3f} to {high:.3f}\n" in done.err
    assert done.err.endswith("next: wembed train\n")
    assert min(float(row["accuracy_min"]) for row in rows) == low
    again = run("zoo", "build", tiny, "--json")
    assert {row["skipped"] for row in json.loads(again.out)} == {True}
    assert "16 checkpoints, 0 of them new" in again.err
    assert run("zoo", "build", tiny, "-q").out.split() == STACKS


def test_a_dry_run_says_what_would_be_trained_and_writes_nothing(run, tiny):
    done = run("zoo", "build", tiny, "--dry-run", "--json")
    assert done.code == 0
    first = json.loads(done.out)[0]
    parameters = 64 * 6 + 6 + 6 * 10 + 10
    assert first.pop("seconds") > 0
    assert 8 * parameters * 4 / 1e6 < first.pop("megabytes") < 0.1
    assert first == {
        "stack": STACKS[0],
        "runs": 4,
        "checkpoints": 8,
        "skipped": False,
        "parameters": parameters,
    }
    assert "8 networks, 16 checkpoints to be made, " in done.err
    assert done.err.endswith("minutes with --jobs 1; nothing written\n")
    assert list(Path().iterdir()) == [tiny.relative_to(tiny.parent)]


def test_the_default_is_the_packaged_digits(run):
    done = run("zoo", "build", "--dry-run", "--num-models", 14, "--format", "csv")
    assert all(line.startswith(("stack,", "digits-")) for line in done.out.splitlines())
    assert "14 networks, 42 checkpoints to be made" in done.err


def test_num_models_and_seed(run, tiny):
    assert run("zoo", "build", tiny, "--num-models", 4, "--seed", 7, "--zoo", "a").code == 0
    rows = facts("a")
    assert len({row.run for row in rows}) == 4
    assert {row.seed for row in rows} == {7}
    assert {row.architecture for row in rows} == {"mlp-relu-6", "cnn-relu-3", "mlp-relu-5x4"}
    assert run("zoo", "build", tiny, "--num-models", 0).code == 2


def test_another_seed_in_the_same_zoo_is_refused(run, tiny):
    run("zoo", "build", tiny)
    before = facts("zoo")
    done = run("zoo", "build", tiny, "--seed", 6)
    assert done.code == 1
    assert done.err.startswith(
        "error: the zoo holds digits-mlp-relu-6-000 and others, built with other settings: seed\n"
    )
    assert facts("zoo") == before


def test_an_unknown_manifest_and_a_wrong_one_are_one_line(run, tiny):
    done = run("zoo", "build", "smal")
    names = "digits-wide, digits, families, fashion, mixed, mnist, pretrain, small"
    assert (done.code, done.err) == (3, f"error: no manifest smal\nhint: give a file, or one of {names}\n")
    tiny.write_text(TINY.replace("hidden", "hiden"))
    done = run("zoo", "build", "tiny.yaml")
    expected = "error: tiny.yaml line 6: groups.0.architecture.hiden is no key of a manifest\n"
    assert (done.code, done.err) == (2, f"{expected}hint: did you mean hidden?\n")
    assert not Path("zoo").exists()


def test_diverged_runs_are_counted(run, tiny):
    tiny.write_text(DIVERGING)
    rows = json.loads(run("zoo", "build", tiny, "--json").out)
    assert [(row["runs"], row["checkpoints"], row["diverged"]) for row in rows] == [(4, 4, 4), (2, 2, 2), (2, 2, 2)]


def test_it_says_once_that_it_waits_for_another_build(spawn, tiny):
    Path("zoo").mkdir()
    with FileLock(Path("zoo/build.lock")):
        process = spawn("zoo", "build", "tiny.yaml")
        assert process.stderr
        assert process.stderr.readline() == "note: another build holds zoo, waiting for it\n"
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert err.startswith("note: 16 checkpoints, 16 of them new")


def test_an_interrupt_is_clean_and_the_same_command_goes_on(run, spawn, tiny):
    process = spawn("zoo", "build", "tiny.yaml", before=SLOW)
    assert process.stderr
    assert process.stderr.readline() == "slow\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    assert not left_behind("zoo")
    assert len(facts("zoo")) == 12
    assert [row["skipped"] for row in json.loads(run("zoo", "build", tiny, "--json").out)] == [True, True, False]
    run("zoo", "build", tiny, "--zoo", "undisturbed")
    assert facts("zoo") == facts("undisturbed")


def finishes_after_kills(run, spawn, moments: list[int]) -> None:
    run("zoo", "build", "tiny.yaml", "--zoo", "undisturbed")
    for moment in moments:
        root = f"zoo{moment}"
        process = spawn("zoo", "build", "tiny.yaml", "--zoo", root, before=KILLED.format(moment=moment))
        process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL
        assert not verify(Zoo(Path(root)))
        assert run("zoo", "build", "tiny.yaml", "--zoo", root).code == 0
        assert run("zoo", "verify", "--zoo", root).code == 0
        assert facts(root) == facts("undisturbed")
        assert not left_behind(root)


def test_a_killed_build_finishes_as_if_nothing_had_been(run, spawn, tiny):
    finishes_after_kills(run, spawn, [13, 46])  # at the first stack's journal; while the catalog is put in order


@pytest.mark.slow
def test_a_build_killed_at_ten_random_moments_finishes_as_if_nothing_had_been(run, spawn, tiny):
    moments = np.random.default_rng(0).choice(np.arange(1, MOMENTS + 1), 10, replace=False)
    finishes_after_kills(run, spawn, [int(moment) for moment in moments])


@pytest.mark.slow
def test_a_hundred_checkpoints_of_the_small_zoo_reach_exactly_what_was_recorded(run):
    assert run("zoo", "build", "small", "--num-models", 60).code == 0
    zoo = Zoo(Path("zoo"))
    rows = [zoo.rows()[at] for at in np.random.default_rng(0).choice(180, 100, replace=False)]
    for row, (checkpoint, _) in zip(rows, open_items(zoo, rows), strict=True):
        data = load_dataset(row.dataset)
        assert score(load_module(checkpoint), data.test_inputs, data.test_labels).accuracy == row.accuracy
