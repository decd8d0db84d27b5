import json
import signal
from pathlib import Path

import pytest
import yaml

from wembed.errors import WembedError
from wembed.evaluate import Evaluation, Result
from wembed.experiment import ExperimentResult
from wembed.report import write_report

HEADER = "task\tencoder\tmetric\tvalue\tn\tsplit\terror"
ROWS = [
    Result("retrieval-snapshot", "gnn", "recall@1", 0.9, 40, "test", 0.05),
    Result("retrieval-snapshot", "gnn", "recall@1 step 60", 0.8, 20, "test"),
    Result("retrieval-snapshot", "mlp", "recall@1", None, 40, "test"),
    Result("retrieval-snapshot", "gnn", "recall@1", 0.7, 10, "test:digits-mlp"),
    Result("prediction", "gnn", "tau", 0.8, 60, "test"),
]
SLOW_BUILD = """
import sys, time, wembed.experiment as experiment
def slow(zoo, options):
    print("slow", file=sys.stderr, flush=True)
    time.sleep(60)
experiment.build = slow
"""


@pytest.fixture
def asked(monkeypatch) -> list:
    """What experiments were asked for; none is run."""
    calls = []

    def ran(options, show):
        calls.append(options)
        return ExperimentResult(options.folder, Evaluation(ROWS), [options.folder / "results.md"], {"mlp": "no runs"})

    monkeypatch.setattr("wembed.experiment.run_experiment", ran)
    return calls


def test_small_and_full_have_their_own_folders_and_manifests(run, asked):
    run("experiment", "--small")
    run("experiment")
    run("experiment", "--small", "--experiment-name", "mine", "-o", "elsewhere", "--seed", "3")
    assert [(str(call.folder), call.manifest, call.seed) for call in asked] == [
        ("results/small", "small", 0),
        ("results/full", "digits", 0),
        ("elsewhere/mine", "small", 3),
    ]


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
    assert "note: 1 files of the report are in results/small, read results/small/results.md first\n" in err
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
    Path("results/small/experiment.json").write_text('{"manifest": "small", "seed": 0, "num_models": null}')
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


def test_report_draws_again_what_a_folder_holds(run):
    write_report(Evaluation(ROWS), Path("one"))
    result = run("report", "--from", "one", "-o", "two")
    assert result.out.splitlines() == ["path", "two/results.md", "two/results.json", "two/figures/retrieval.png",
                                       "two/figures/prediction-tau.png"]  # fmt: skip
    assert Path("one/results.json").read_bytes() == Path("two/results.json").read_bytes()
    assert "note: read two/results.md first\n" in result.err


def test_report_without_a_zoo_or_results_is_not_found(run):
    assert run("report", "-o", "two").code == 3
    missing = run("report", "--from", "nowhere", "-o", "two")
    assert (missing.code, Path("two").exists()) == (3, False)
    assert "error: no results.json in nowhere\n" in missing.err


def test_report_refuses_options_that_contradict_each_other(run):
    write_report(Evaluation(ROWS), Path("one"))
    result = run("report", "--from", "one", "--encoder", "gnn", "-o", "two")
    assert result.code == 2
    assert "--from and --encoder contradict each other" in result.err


def test_report_of_a_built_zoo(run):
    manifest = {
        "name": "tiny",
        "training": {"batch_size": 16, "snapshots": [10, 30]},
        "groups": [{"dataset": "wine", "architecture": {"kind": "mlp", "hidden": [6]}, "runs": 24}],
    }
    Path("tiny.yaml").write_text(yaml.safe_dump(manifest))
    assert run("zoo", "build", "tiny.yaml", "--seed", "0").code == 0
    result = run("report", "-o", "out", "--encoder", "fingerprint", "-q")
    assert result.code == 0, result.err
    assert "out/results.md" in result.out.splitlines()
    assert "fingerprint beside its baselines" in Path("out/results.md").read_text()
