import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from wembed.evaluate import Evaluation, Result
from wembed.evaluate.results import MapPoint
from wembed.report import write_report
from wembed.report.results_file import to_text

ROWS = [
    Result("retrieval-snapshot", "gnn", "recall@1", 0.9, 40, "test", 0.05),
    Result("retrieval-snapshot", "mlp", "recall@1", None, 40, "test"),
    Result("prediction", "gnn", "tau/tau_max", 0.8, 60, "test", low=0.71, high=0.86),
    Result("prediction", "stats", "tau/tau_max", -0.001, 60, "test"),
]
POINTS = [
    MapPoint("a", 0.0, 0.0, "mlp-relu-16", "digits", 0.5),
    MapPoint("b", 1.0, 1.0, "mlp-relu-16", "digits", 0.5),
    MapPoint("c", 1.0, 0.0, "cnn-\x1b[31mrelu", "digits", 0.5),
]
EVALUATION = Evaluation(ROWS, map=POINTS)


@pytest.fixture
def earlier() -> str:
    """A folder with the results of an evaluation."""
    Path("one").mkdir()
    Path("one/results.json").write_text(to_text(EVALUATION))
    return "one"


def test_report_draws_again_what_a_folder_holds(run):
    write_report(EVALUATION, Path("one"))
    result = run("report", "--from", "one", "-o", "two")
    paths = result.out.splitlines()
    assert paths[:4] == ["path", "two/results.md", "two/results.json", "two/report.html"]
    assert "two/figures/map-architecture.svg" in paths
    assert sorted(paths[1:]) == sorted(str(path) for path in Path("two").rglob("*") if path.is_file())
    for path in paths[1:]:
        if not path.endswith((".md", ".html")):  # these two name their folder
            assert Path(path).read_bytes() == Path("one", *Path(path).parts[1:]).read_bytes()
    assert "note: read two/results.md first\n" in result.err


def test_a_glance_is_plain_text_in_a_pipe(run, earlier, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    result = run("report", "--terminal", "--from", earlier)
    assert (result.code, result.err) == (0, "")
    assert "\x1b" not in result.out
    lines = [line.rstrip() for line in result.out.splitlines()]
    assert lines[:8] == [
        "all architectures",
        "          tau / tau max",
        "              accuracy,       Recall@1",
        "encoder   held-out runs       snapshot",
        "──────────────────────────────────────",
        "gnn                0.80           0.90",
        "           0.71 to 0.86   0.80 to 1.00",
        "stats              0.00            n/a",
    ]
    assert lines[9] == "3 checkpoints as gnn sees them, by architecture"
    assert (lines[10], lines[27]) == (" " * 59 + "A", "A" + " " * 58 + "B")
    assert lines[28] == "A mlp-relu-16 (2)  B cnn-\\x1b[31mrelu (1)"


def test_a_glance_has_colours_where_a_terminal_has_them(run, earlier, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = run("report", "--terminal", "--from", earlier).out
    assert "⠈" in shown
    assert "●" in shown
    monkeypatch.setenv("NO_COLOR", "1")
    plain = run("report", "--terminal", "--from", earlier).out
    assert "⠈" not in plain
    assert "\x1b[3" not in plain


@pytest.mark.parametrize(("width", "heads"), [(33, 1), (20, 2)])
def test_a_glance_without_room_drops_intervals_and_then_stands_in_two_tables(run, earlier, monkeypatch, width, heads):
    monkeypatch.setenv("COLUMNS", str(width))
    shown = run("report", "--terminal", "--from", earlier).out
    assert "there is no room for intervals; see --json\n" in shown
    assert "0.71 to 0.86" not in shown
    assert [line.split()[0] for line in shown.splitlines() if line.strip()].count("encoder") == heads
    assert all(len(line) <= width for line in shown.partition("there is")[0].splitlines())
    assert "Recall@1" in shown


def test_a_legend_of_a_glance_keeps_a_sign_with_its_name(run, earlier, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    assert run("report", "--terminal", "--from", earlier).out.splitlines()[-2:] == [
        "A mlp-relu-16 (2)", "B cnn-\\x1b[31mrelu (1)",
    ]  # fmt: skip


def test_a_quiet_glance_is_a_glance(run, earlier):
    quiet, plain = (run("report", "--terminal", "--from", earlier, *words) for words in (["-q"], []))
    assert quiet.out == plain.out


def test_a_glance_gives_rows_to_machines(run, earlier):
    rows = json.loads(run("report", "--terminal", "--from", earlier, "--json").out)
    assert rows[0] == {
        "task": "prediction", "encoder": "gnn", "metric": "tau/tau_max", "value": 0.8, "low": 0.71, "high": 0.86,
        "n": 60, "split": "test",
    }  # fmt: skip
    assert [(row["encoder"], row["metric"]) for row in rows[1:]] == [("gnn", "recall@1"), ("stats", "tau/tau_max")]


def test_a_glance_and_a_report_can_be_had_at_once(run, earlier):
    result = run("report", "--terminal", "--from", earlier, "-o", "two")
    assert result.out.startswith("all architectures\n")
    assert Path("two/results.md").is_file()
    assert "note: read two/results.md first\n" in result.err


def test_a_glance_at_an_evaluation_without_a_map_is_the_table(run):
    Path("results.json").write_text(to_text(dataclasses.replace(EVALUATION, map=[])))
    assert "checkpoints as" not in run("report", "--terminal", "--from", ".").out


def test_report_without_a_folder_is_refused(run, earlier):
    result = run("report", "--from", earlier)
    assert result.code == 2
    assert result.err.splitlines() == [
        "error: no folder to write the report to",
        "hint: give -o DIR, or --terminal for a glance at it",
    ]


def test_report_to_a_folder_that_cannot_be_written_is_refused(run, earlier):
    Path("taken").write_text("")
    result = run("report", "--from", earlier, "-o", "taken")
    assert result.code == 1
    assert result.err.startswith("error: cannot write the report to taken: ")
    assert "hint: choose another folder with -o\n" in result.err


def test_report_without_a_zoo_or_results_is_not_found(run):
    assert run("report", "-o", "two").code == 3
    missing = run("report", "--from", "nowhere", "-o", "two")
    assert (missing.code, Path("two").exists()) == (3, False)
    assert "error: no results.json in nowhere\n" in missing.err


def test_report_refuses_options_that_contradict_each_other(run, earlier):
    result = run("report", "--from", earlier, "--encoder", "gnn", "-o", "two")
    assert result.code == 2
    assert "--from and --encoder contradict each other" in result.err


@pytest.mark.parametrize("words", [("--seed", "3"), ("--zoo", "zoo"), ("--seeds", "2"), ("--task", "retrieval")])
def test_report_refuses_what_no_earlier_results_can_heed(run, earlier, words):
    result = run("report", "--from", earlier, *words, "-o", "two")
    assert (result.code, Path("two").exists()) == (2, False)
    assert f"error: --from and {words[0]} contradict each other\n" in result.err


def test_report_from_earlier_results_ignores_the_zoo_of_the_environment(run, earlier, monkeypatch):
    monkeypatch.setenv("WEMBED_ZOO", "elsewhere")
    assert run("report", "--terminal", "--from", earlier).code == 0


def test_report_without_the_device_that_is_asked_for_fails_before_the_work(run, earlier, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    result = run("report", "--from", earlier, "--gpu", "-o", "two")
    assert (result.code, Path("two").exists()) == (1, False)
    assert result.err.startswith("error: device cuda is not available")


@pytest.fixture
def zoo(run) -> Path:
    """A tiny one, in ./zoo."""
    manifest = {
        "name": "tiny",
        "training": {"batch_size": 16, "snapshots": [10, 30]},
        "groups": [{"dataset": "wine", "architecture": {"kind": "mlp", "hidden": [6]}, "runs": 24}],
    }
    Path("tiny.yaml").write_text(yaml.safe_dump(manifest))
    assert run("zoo", "build", "tiny.yaml", "--seed", "0").code == 0
    return Path("zoo")


def test_report_says_what_it_cannot_write_before_the_work(run, zoo, monkeypatch):
    Path("taken").write_text("")
    monkeypatch.setattr("wembed.evaluate.evaluate", lambda *_: pytest.fail("worked first"))
    result = run("report", "-o", "taken", "--encoder", "fingerprint")
    assert result.code == 1
    assert result.err.startswith("error: cannot write the report to taken: ")


def test_report_evaluates_as_many_seeds_and_the_tasks_that_are_asked_for(run, zoo, monkeypatch):
    asked = []
    monkeypatch.setattr("wembed.evaluate.evaluate", lambda *given: asked.append(given[2]) or EVALUATION)
    words = ["--seed", "3", "--seeds", "2", "--task", "retrieval", "--task", "prediction"]
    assert run("report", "-o", "out", "--encoder", "fingerprint", *words).code == 0
    assert [(own.seed, own.seeds, own.tasks) for own in asked] == [(3, 2, ("retrieval", "prediction"))]


def test_report_refuses_an_unknown_task(run, zoo):
    result = run("report", "-o", "out", "--task", "nothing")
    assert (result.code, Path("out").exists()) == (2, False)
    assert result.err.startswith("error: no task named 'nothing'\nhint: known are retrieval, prediction, ")


@pytest.mark.slow
def test_report_of_a_built_zoo(run, zoo):
    result = run("report", "-o", "out", "--encoder", "fingerprint", "-q")
    assert result.code == 0, result.err
    assert "out/results.md" in result.out.splitlines()
    text = Path("out/results.md").read_text()
    assert "fingerprint beside its baselines" in text
    assert "Rounding to bf16 moves 99 % of the embeddings of fingerprint" in text  # the names that evaluate writes


@pytest.mark.slow
@pytest.mark.parametrize("task", ["retrieval", "prediction", "merging", "invariance", "robustness"])
def test_report_of_one_task_only(run, zoo, task):
    result = run("report", "-o", "out", "--encoder", "fingerprint", "--task", task, "-q")
    assert result.code == 0, result.err
    assert Path("out/report.html").is_file()
