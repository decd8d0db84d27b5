import json
import signal
from pathlib import Path

import pytest

from wembed.errors import WembedError
from wembed.evaluate import Evaluation, Result
from wembed.experiment import ExperimentResult

HEADER = "task\tencoder\tmetric\tvalue\tn\tsplit\terror"
ROWS = [
    Result("retrieval-snapshot", "gnn", "recall@1", 0.9, 40, "test", 0.05),
    Result("retrieval-snapshot", "gnn", "recall@1 step 60", 0.8, 20, "test"),
    Result("retrieval-snapshot", "mlp", "recall@1", None, 40, "test"),
    Result("retrieval-snapshot", "gnn", "recall@1", 0.7, 10, "test:digits-mlp"),
    Result("prediction", "gnn", "tau", 0.8, 60, "test"),
]
SLOW_BUILD = """
import sys, time, wembed.experiment.study as study
def slow(zoo, options):
    print("slow", file=sys.stderr, flush=True)
    time.sleep(60)
study.build = slow
"""


@pytest.fixture
def asked(monkeypatch) -> list:
    """What experiments were asked for; none is run."""
    calls = []

    def ran(options, show):
        calls.append(options)
        files, zoo = [options.folder / "results.md"], options.folder / "zoo"
        options.folder.mkdir(parents=True, exist_ok=True)
        (options.folder / "inputs.json").write_text(json.dumps({"seed": options.seed}))
        return ExperimentResult(options.folder, zoo, Evaluation(ROWS), files, {"mlp": "no runs"})

    monkeypatch.setattr("wembed.experiment.run.run_experiment", ran)
    return calls


def test_sizes_have_their_own_folders_and_manifests(run, asked):
    run("experiment", "--small")
    run("experiment")
    run("experiment", "--small", "--experiment-name", "mine", "-o", "elsewhere", "--seed", "3")
    assert [(str(call.folder), call.manifest, call.seed) for call in asked] == [
        ("results/small", "small", 0),
        ("results/default", "digits", 0),
        ("elsewhere/mine", "small", 3),
    ]
    assert [call.command for call in asked] == [
        "wembed experiment --small --experiment-name small --seed 0",
        "wembed experiment --experiment-name default --seed 0",
        "wembed experiment --small --experiment-name mine --results elsewhere --seed 3",
    ]


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(run, asked):
    rows = json.loads(run("experiment", "--full", "--dry-run", "--json").out)
    assert [(row["folder"], row["manifest"], row["seed"]) for row in rows] == [
        (f"results/full/{manifest}/seed-{seed}", manifest, seed)
        for manifest in ("mixed", "families")
        for seed in range(3)
    ]
    assert rows[0]["encoders"].split(",")[:4] == ["gnn", "mlp", "pca-mlp", "pna"]
    assert rows[0]["networks"] > 100
    assert not asked
    assert not Path("results").exists()


def test_another_zoo_and_several_seeds_are_pooled_beside_them(run, asked):
    assert run("experiment", "--manifest", "small", "--seeds", "2", "--experiment-name", "two").code == 0
    assert [str(call.folder) for call in asked] == ["results/two/seed-0", "results/two/seed-1"]
    rows = json.loads(Path("results/two/results.json").read_text())["results"]
    assert {(row["seeds"], row["spread"]) for row in rows if row["value"] is not None} == {(2, 0.0)}
    inputs = json.loads(Path("results/two/inputs.json").read_text())
    assert sorted(inputs["studies"]) == ["seed-0", "seed-1"]
    assert inputs["command"] == "wembed experiment --manifest small --experiment-name two --seeds 2 --seed 0"
    assert "drawing: done" in Path("results/two/log.txt").read_text()


def test_the_folder_of_one_run_is_not_that_of_several(run, asked):
    Path("results/small").mkdir(parents=True)
    Path("results/small/experiment.json").write_text('{"manifest": "small", "seed": 0, "num_models": null, "seeds": 1}')
    result = run("experiment", "--small", "--seeds", "2")
    assert (result.code, asked) == (1, [])
    assert "results/small holds an experiment with seeds 1, asked for is 2" in result.err


def test_where_nothing_can_be_written_it_says_so(run, asked):
    Path("file").write_text("")
    result = run("experiment", "--small", "--seeds", "2", "-o", "file")
    assert (result.code, asked) == (1, [])
    assert "error: cannot write to file/small: not a directory\nhint: --results says where" in result.err


def test_sizes_that_contradict_each_other_and_unknown_zoos_are_refused(run, asked):
    both = run("experiment", "--small", "--full")
    assert (both.code, both.err.splitlines()[0]) == (2, "error: --small and --full contradict each other")
    assert run("experiment", "--manifest", "nowhere.yaml").code == 3
    assert not asked


def test_the_studys_spellings_are_taken_and_not_shown(run, asked):
    result = run("experiment", "--small", "--experiment_name", "my_run", "--num_models=50", "--num_epochs", "4")
    assert result.code == 0
    (call,) = asked
    assert (call.folder, call.num_models, call.num_epochs) == (Path("results/my_run"), 50, 4)
    assert "_name" not in run("experiment", "--help").out


def test_main_rows_are_shown_and_all_with_json(run, asked):
    shown = run("experiment", "--small")
    assert shown.out.splitlines() == [
        HEADER,
        "retrieval-snapshot\tgnn\trecall@1\t0.9\t40\ttest\t0.05",
        "retrieval-snapshot\tmlp\trecall@1\t\t40\ttest\t",
        "prediction\tgnn\ttau\t0.8\t60\ttest\t",
    ]
    assert len(json.loads(run("experiment", "--small", "--json").out)) == len(ROWS)


def test_the_end_names_the_folder_what_is_missing_and_the_next_command(run, asked):
    err = run("experiment", "--small").err
    assert "warning: encoder mlp is left out: no runs\n" in err
    assert "note: 1 files of the report are in results/small, open results/small/results.md first\n" in err
    assert "next: wembed search CKPT --encoder gnn --zoo results/small/zoo\n" in err


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x"])
def test_a_name_that_is_a_path_is_refused(run, asked, name):
    result = run("experiment", "--experiment-name", name)
    assert result.code == 2
    assert "is no name of a folder" in result.err
    assert asked == []


def test_gpu_is_refused_before_any_work_where_there_is_none(run, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    result = run("experiment", "--small", "--gpu")
    assert result.code == 1
    assert "device cuda is not available" in result.err
    assert not Path("results").exists()


def test_another_seed_in_one_folder_is_refused(run):
    Path("results/small").mkdir(parents=True)
    Path("results/small/experiment.json").write_text('{"manifest": "small", "seed": 0, "num_models": null, "seeds": 1}')
    result = run("experiment", "--small", "--seed", "1")
    assert result.code == WembedError.exit_code
    assert "error: results/small holds an experiment with seed 0, asked for is 1\n" in result.err
    assert "hint: choose another --experiment-name\n" in result.err


def test_an_interrupt_ends_with_its_code_and_is_logged(spawn):
    process = spawn("experiment", "--small", before=SLOW_BUILD)
    assert process.stderr
    assert process.stderr.readline() == "slow\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    assert "stopped after" in Path("results/small/log.txt").read_text()
