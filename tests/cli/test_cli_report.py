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
    assert lines[28].replace("\u00a0", " ") == "A mlp-relu-16 (2)  B cnn-\\x1b[31mrelu (1)"


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


def test_a_glance_leaves_out_what_there_is_no_room_for_and_says_so(run, earlier, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    shown = run("report", "--terminal", "--from", earlier).out
    assert "and 1 more, for which there is no room; see --json\n" in shown
    assert "Recall@1" not in shown


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


@pytest.mark.slow
def test_report_of_a_built_zoo(run, zoo):
    result = run("report", "-o", "out", "--encoder", "fingerprint", "-q")
    assert result.code == 0, result.err
    assert "out/results.md" in result.out.splitlines()
    assert "fingerprint beside its baselines" in Path("out/results.md").read_text()
