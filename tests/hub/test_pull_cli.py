"""`wembed zoo pull` as people and scripts meet it: rows, lines, exit codes, whatever the Hub does."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest
from hub_server import Claims, Refusal
from safetensors.numpy import save_file

from wembed.cli.app import app

ANSI = re.compile(r"\x1b")
GOOD = ("lab/one", "lab/two", "lab/three")


def save(folder, seed=0, width=8):
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    weights = {f"{layer}.weight": random.standard_normal((width, width), dtype=np.float32) for layer in (0, 2)}
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "mine"}')


@pytest.fixture
def hub(hub_root, hub_server, monkeypatch, tmp_path):
    for seed, name in enumerate(GOOD):
        save(hub_root / name, seed)
    claims = {"lab/one": Claims(card={"license": "mit"}, config={"model_type": "mine"}, downloads=7)}
    server = hub_server(claims=claims)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setattr("wembed.hub.session.FIRST_WAIT", 0.01)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WEMBED_ZOO", raising=False)
    return server


@pytest.fixture
def pull(hub, capsys) -> Callable[..., subprocess.CompletedProcess]:
    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            app(["zoo", "pull", "--retries", "1", "--timeout", "0.5", *map(str, arguments)], prog_name="wembed")
        captured = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, left.value.code or 0, captured.out, captured.err)

    return call


def ids(result) -> list[str]:
    return [line.split("\t")[0] for line in result.stdout.splitlines()[1:]]


def errors(result) -> list[str]:
    return [line.removeprefix("error: ") for line in result.stderr.splitlines() if line.startswith("error: ")]


def test_a_dry_run_says_all_and_writes_nothing(pull, tmp_path, hub):
    result = pull(*GOOD, "--dry-run", "--json")
    assert result.returncode == 0
    rows = json.loads(result.stdout)
    assert [row["id"] for row in rows] == list(GOOD)
    assert rows[0] | {"commit": ""} == {
        "id": "lab/one", "status": "planned", "files": 2, "megabytes": pytest.approx(0.0007, abs=1e-4), "params": 128,
        "dtype": "F32", "model_type": "mine", "library": None, "pipeline": None, "licence": "mit", "downloads": 7,
        "parent": None, "commit": "",
    }  # fmt: skip
    assert "3 checkpoints, 0.0 MB to fetch" in result.stderr
    assert not (tmp_path / "zoo").exists()
    assert sum(request.sent for request in hub.log) < 100_000 * len(GOOD)


def test_rows_alone_go_to_a_pipe(pull):
    result = pull(*GOOD)
    assert result.returncode == 0
    assert ids(result) == list(GOOD)
    assert not ANSI.search(result.stdout + result.stderr)
    assert set(result.stderr.splitlines()[:3]) == {f"note: {name}: 1 checkpoint, 0.0 MB" for name in GOOD}
    assert result.stderr.splitlines()[-1] == "next: wembed search lab/one"


def test_where_chooses_by_facts(pull):
    result = pull(*GOOD, "--dry-run", "-q", "--where", "licence = 'mit' and params < 1000")
    assert result.stdout == "lab/one\n"
    assert pull(*GOOD, "--where", "colour = 1").returncode == 2


@pytest.mark.parametrize(
    ("name", "claims", "code", "message"),
    [
        ("lab/nobody", None, 3, "lab/nobody: no such repository, or a private one"),
        ("lab/private", Claims(private=True), 3, "lab/private: no such repository, or a private one"),
        ("lab/gated", Claims(gated="manual"), 5, "lab/gated/model.safetensors: gated, access must be asked for"),
        ("lab/disabled", Claims(disabled=True), 5, "lab/disabled: disabled by the Hub"),
        ("lab/three@v9", None, 3, "lab/three@v9: no such revision"),
    ],
)
def test_what_cannot_be_had_is_one_line_and_the_rest_is_pulled(pull, hub, hub_root, name, claims, code, message):
    if claims:
        save(hub_root / name)
        hub.claims[name] = claims
    alone = pull(name)
    assert (alone.returncode, alone.stdout.count("\n")) == (code, 1)
    result = pull("lab/one", name, "lab/two")
    assert result.returncode == 6
    assert ids(result) == ["lab/one", "lab/two"]
    (line,) = errors(result)
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"refusals": [Refusal("lab/two/resolve", 500)]}, "the Hub has trouble (status 500)"),
        ({"refusals": [Refusal("lab/two/resolve", 429, headers={"Retry-After": "9999"})]}, "asks for fewer requests"),
        ({"refusals": [Refusal("lab/two/resolve", 404)]}, "not on the Hub"),
        ({"where": "lab/two/resolve", "stall_after": 100}, "does not answer"),
        ({"where": "lab/two/resolve", "cut_after": 100, "cut_times": None}, "the connection broke"),
        ({"where": "lab/two/resolve", "length_error": 50}, "lab/two/"),
        ({"where": "lab/two/resolve", "length_error": -50}, "lab/two/"),
    ],
)
def test_a_fault_of_one_repository_leaves_the_others(pull, hub, faults, message):
    for name, value in faults.items():
        setattr(hub.faults, name, value)
    result = pull(*GOOD)
    assert result.returncode == 6
    assert ids(result) == ["lab/one", "lab/three"]
    (line,) = errors(result)
    assert message in line
    hub.faults.__init__()
    again = pull(*GOOD)
    assert again.returncode == 0
    assert ids(again) == list(GOOD)


def test_faults_that_pass_are_not_even_noticed(pull, hub):
    hub.faults.refusals = [Refusal("lab/one", 503, times=1), Refusal("lab/two", 429, 1, {"Retry-After": "0"})]
    hub.faults.cut_after = 300
    result = pull(*GOOD)
    assert (result.returncode, errors(result)) == (0, [])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["hub-tinny"], 3, "no manifest hub-tinny"),
        (["missing.yaml"], 3, "no manifest at missing.yaml"),
        (["other.lock.jsonl"], 3, "no lock file at other.lock.jsonl"),
        (["lab/../x"], 2, "is not the name of a repository"),
        (["lab/one", "--max-size", "many"], 2, "many"),
        (["hub-tiny", "--revision", "v1"], 2, "--revision v1 is about repositories"),
        (["digits"], 2, "is a manifest of `wembed zoo build`"),
        (["lab/one", "--offline"], 3, "lab/one: not in the lock of the zoo"),
    ],
)
def test_a_wrong_call_is_one_line(pull, arguments, code, message):
    result = pull(*arguments)
    assert (result.returncode, result.stdout.strip().count("\n")) == (code, 0)
    assert message in errors(result)[0]


def test_the_hub_that_is_not_there_is_told(pull, hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    result = pull("lab/one")
    assert result.returncode == 5
    assert errors(result)[0].startswith("lab/one: cannot reach the Hub")


def test_names_come_from_standard_input(pull, monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("lab/one\nlab/two\n"))
    assert ids(pull("-", "--dry-run")) == ["lab/one", "lab/two"]


def begun_bytes(folder):
    """Of the largest file that is on its way."""
    sizes = [0]
    for part in folder.glob("zoo/downloads/*.part"):
        with suppress(FileNotFoundError):  # it has just been moved to its place
            sizes.append(part.stat().st_size)
    return max(sizes)


def test_interrupted_it_keeps_what_is_there_and_goes_on(hub, hub_root, tmp_path):
    save(hub_root / "lab/large", 5, width=2048)
    hub.faults.throttle = 4_000_000
    environment = {**os.environ, "HF_ENDPOINT": hub.url}
    command = [sys.executable, "-c", "from wembed.cli.app import app; app()", "zoo", "pull", "lab/large"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not begun_bytes(tmp_path) > 100_000:  # more than the config has
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err.splitlines()[-1]) == (130, "", "interrupted")
    begun = begun_bytes(tmp_path)
    hub.faults.throttle = None
    hub.log.clear()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ids(done) == ["lab/large"]
    assert f"bytes={begun}-" in [request.range for request in hub.requests("model.safetensors")]
    assert not list((tmp_path / "zoo/downloads").iterdir())
