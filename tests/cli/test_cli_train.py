import fcntl
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
import torch
from trained_zoo import Kind, make_zoo

from wembed.cli.output import Output
from wembed.cli.train_run import Asked, train_together
from wembed.training import Trained, TrainOptions
from wembed.training.alone import alone
from wembed.training.distributed import Membership, Ranks

MAIN = "from wembed.cli.app import app; app(prog_name='wembed')"
OPTIONS = ("--hidden-dim", 8, "--global-dim", 16, "--message-passing-steps", 1, "--batch-size", 16)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_zoo(tmp_path_factory.mktemp("cli-train") / "zoo", (Kind("wine", (8,), 30),)).root


@pytest.fixture
def zoo(made, tmp_path_factory):
    return shutil.copytree(made, tmp_path_factory.mktemp("copy") / "zoo")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("flags", [("--gpu",), ("--device", "cuda")])
def test_without_a_cuda_device_gpu_is_refused_before_any_work(run, zoo, flags):
    result = run("train", "--zoo", zoo, *flags)
    assert result.code == 1
    assert result.err.splitlines()[0].startswith("error: device cuda is not available, found 0 cuda devices")
    assert not list((zoo / "encoders").iterdir())


def test_without_a_zoo_the_next_command_is_said(run):
    result = run("train")
    assert result.code == 3
    assert result.err.splitlines()[0] == "error: no zoo at zoo"
    assert "wembed zoo" in result.err


def test_a_trained_encoder_is_the_default_of_the_zoo(run, zoo):
    result = run("train", "--zoo", zoo, "--num-epochs", 2, *OPTIONS, "--json")
    assert result.code == 0
    (row,) = json.loads(result.out)
    assert (row["encoder"], row["model_type"], row["epochs"]) == ("gnn", "gnn", 2)
    found = run("search", "wine-mlp-relu-8-003-step24", "--zoo", zoo, "-k", 1, "--json")
    (first,) = json.loads(found.out)
    assert (first["id"], first["encoder"]) == ("wine-mlp-relu-8-003-step24", "gnn")
    assert first["score"] > 0.9999


def test_a_second_call_has_nothing_to_do(run, zoo):
    command = ("train", "--zoo", zoo, "--num-epochs", 1, *OPTIONS)
    assert run(*command).code == 0
    again = run(*command)
    assert again.code == 0
    assert "note: gnn is there already, trained with these options on these runs" in again.err


def test_a_flat_encoder_says_what_it_knows(run, zoo):
    result = run("train", "--zoo", zoo, "--model-type", "pca-mlp", "--num-epochs", 1, *OPTIONS)
    assert result.code == 0
    assert "note: pca-mlp knows one structure only" in result.err


@pytest.mark.parametrize("name", ["../outside", "a/b", ".hidden", ""])
def test_a_name_stays_in_the_zoo(run, zoo, name):
    result = run("train", "--zoo", zoo, "--name", name)
    assert (result.code, result.err.splitlines()[0]) == (2, f"error: {name!r} is no name of an encoder")


def test_a_second_training_of_the_same_name_is_refused_while_the_first_one_runs(run, zoo):
    command = ("train", "--zoo", zoo, "--num-epochs", 1, *OPTIONS)
    with alone(zoo / "encoders" / "gnn"):
        result = run(*command)
        assert (result.code, result.out) == (1, "")
        assert result.err.splitlines() == [
            "error: another training writes 'gnn'",
            "hint: wait for it, or give another --name",
        ]
        assert run(*command, "--name", "mine").code == 0
    assert not (zoo / "encoders" / "gnn").exists()
    assert {path.name for path in (zoo / "encoders" / "mine").iterdir()} == {
        "config.json",
        "model.safetensors",
        "log.jsonl",
    }


@pytest.mark.parametrize(("rank", "said"), [("0", "error: no zoo at nowhere"), ("1", None)])
def test_before_processes_meet_the_first_one_alone_says_an_error_of_all(rank, said, run, monkeypatch):
    monkeypatch.setattr("wembed.training.distributed.meeting._SHORT", 0.1)
    place = {"RANK": rank, "WORLD_SIZE": "2", "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    result = run("train", "--zoo", "nowhere")
    assert (result.code, result.out) == (3, "")
    assert next(iter(result.err.splitlines()), None) == said


def test_a_process_that_is_not_the_first_says_what_memory_made_it_do(zoo, capsys, monkeypatch):
    def train(data, open_items, options, folder, progress, warn):
        warn("out of memory on cuda:1")
        return Trained(folder, None, data, [], stopped="epoch 3")

    monkeypatch.setattr("wembed.training.train", train)
    monkeypatch.setattr("wembed.training.distributed.own_place", lambda environment: Membership(1, 2, 1, "here", 1))
    monkeypatch.setattr("wembed.training.distributed.joined", lambda *given: nullcontext(Ranks(1, 2)))
    train_together(Asked(zoo, "gnn", TrainOptions(device="cpu"), Output("tsv", quiet=False)))
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "warning: process 1: out of memory on cuda:1\n")


def test_an_interrupted_training_leaves_no_half_encoder_and_goes_on(spawn, run, zoo):
    log = zoo / "encoders" / "gnn" / "log.jsonl"
    process = spawn("train", "--zoo", str(zoo), "--num-epochs", "500", *map(str, OPTIONS))
    until = time.monotonic() + 60
    while not (log.exists() and log.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.splitlines()[-1]) == (130, "interrupted")
    assert not (log.parent / "config.json").exists()
    assert run("train", "--zoo", zoo, "--num-epochs", 1, *OPTIONS).code == 0
    assert (log.parent / "config.json").exists()


def test_a_killed_training_goes_on_and_ends_as_one_that_was_not(spawn, run, made, zoo):
    whole = shutil.copytree(made, zoo.parent / "whole")
    command = ("--num-epochs", 25, "--patience", 25, *OPTIONS)
    assert run("train", "--zoo", whole, *command).code == 0
    folder = zoo / "encoders" / "gnn"
    process = spawn("train", "--zoo", str(zoo), *map(str, command))
    until = time.monotonic() + 60
    while not ((folder / "log.jsonl").exists() and len(log_of(zoo)) > 1) and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=60)
    done = len(log_of(zoo))
    assert 1 < done < 25
    assert not (folder / "config.json").exists()
    again = run("train", "--zoo", zoo, *command)
    assert again.code == 0
    assert re.search(rf"note: gnn goes on after epoch ({done}|{done + 1}) of a training that was stopped", again.err)
    assert (folder / "model.safetensors").read_bytes() == (
        whole / "encoders" / "gnn" / "model.safetensors"
    ).read_bytes()
    assert log_of(zoo) == log_of(whole)
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "log.jsonl"}


def log_of(zoo):
    """The epochs of a training without the times, which differ."""
    lines = (zoo / "encoders" / "gnn" / "log.jsonl").read_text().splitlines()
    times = ("seconds", "networks_per_second")
    return [{name: value for name, value in json.loads(line).items() if name not in times} for line in lines]


def test_a_learning_rate_that_is_too_large_is_one_clear_line(run, zoo):
    result = run("train", "--zoo", zoo, "--learning-rate", 1e30, *OPTIONS)
    assert result.code == 1
    assert re.fullmatch(r"error: training stopped in epoch 1: the .* is (nan|inf)", result.err.splitlines()[0])
    assert "try a smaller --learning-rate" in result.err


def test_a_pna_is_trained_like_the_others(run, zoo):
    command = ("train", "--zoo", zoo, "--model-type", "pna", "--objective", "kinship", "--num-epochs", 1, *OPTIONS)
    result = run(*command, "--json")
    assert result.code == 0
    assert json.loads(result.out)[0]["encoder"] == "pna"
    log = json.loads((zoo / "encoders" / "pna" / "log.jsonl").read_text())
    assert log["accuracy"] is None
    assert log["contrastive"] > 0


def test_the_help_has_examples(run):
    text = run("train", "--help").out
    assert text.count("Example: wembed train") == 5
    assert "--patience" in text


@pytest.mark.parametrize("name", ["stats", "cosine", "hyperparameters", "gnn shuffled"])
def test_the_names_of_baselines_are_taken(run, zoo, name):
    result = run("train", "--zoo", zoo, "--name", name)
    assert (result.code, result.err.splitlines()[0]) == (2, f"error: {name!r} is what a baseline is called")


def test_odd_sizes_are_refused_before_any_work(run, zoo):
    result = run("train", "--zoo", zoo, "--hidden-dim", 5)
    assert result.code == 2
    assert "expected even numbers" in result.err
    assert not list((zoo / "encoders").iterdir())


def test_an_encoder_of_another_name_brings_its_own_split(run, zoo):
    assert run("train", "--zoo", zoo, "--name", "mine", "--seed", 3, "--num-epochs", 1, *OPTIONS).code == 0
    told = json.loads((zoo / "encoders" / "mine" / "config.json").read_text())["training"]
    id = f"{told['runs'][0]}-step24"
    (row,) = json.loads(run("predict", id, "--zoo", zoo, "--json").out)
    assert (row["encoder"], row["split"]) == ("mine", "train")


def ranks_of(process):
    """The processes that a training has started, but for helpers of Python's."""
    threads = Path(f"/proc/{process.pid}/task").iterdir()
    children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    return [child for child in children if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]


@pytest.mark.slow  # three processes
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_ends_the_run_in_one_line_and_the_same_command_goes_on(rank, spawn, run, made, zoo):
    command = ("--num-epochs", 25, "--patience", 25, *OPTIONS)
    whole = shutil.copytree(made, zoo.parent / "whole")
    assert run("train", "--zoo", whole, *command).code == 0
    process = spawn("train", "--zoo", str(zoo), *map(str, command), "--devices", "2")
    log = zoo / "encoders" / "gnn" / "log.jsonl"
    until = time.monotonic() + 300
    while not (log.exists() and len(log_of(zoo)) > 1) and time.monotonic() < until:
        time.sleep(0.01)
    ranks = ranks_of(process)
    os.kill(ranks[rank], signal.SIGKILL)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (1, "")
    assert err.splitlines()[0] == f"error: process {rank} of 2 was killed by SIGKILL, so the training has ended"
    assert len(err.splitlines()) == 2  # and a hint
    assert not any(map(is_running, ranks))
    done = len(log_of(zoo))
    assert 1 < done < 25
    again = run("train", "--zoo", zoo, *command, "--devices", 1)
    assert again.code == 0
    assert re.search(rf"note: gnn goes on after epoch ({done}|{done + 1}) of a training that was stopped", again.err)
    pairs = zip(log_of(whole), log_of(zoo), strict=True)
    assert max(abs(one["validation_loss"] / other["validation_loss"] - 1) for one, other in pairs) < 1e-4


@pytest.mark.slow  # three processes
@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [
        (signal.SIGINT, 130, ["interrupted"]),
        (
            signal.SIGTERM,
            1,
            [
                "error: training was ended by SIGTERM",
                "hint: the same command goes on from the last whole epoch",
            ],
        ),
        (signal.SIGKILL, -signal.SIGKILL, None),  # Python's own helper complains then
    ],
)
def test_no_rank_outlives_the_command(sent, code, said, spawn, zoo):
    command = ("--num-epochs", 200, "--patience", 200, *OPTIONS)
    process = spawn("train", "--zoo", str(zoo), *map(str, command), "--devices", "2")
    log = zoo / "encoders" / "gnn" / "log.jsonl"
    until = time.monotonic() + 300
    while not log.exists() and time.monotonic() < until:
        time.sleep(0.01)
    ranks = ranks_of(process)
    assert len(ranks) == 2
    process.send_signal(sent)
    out, err = process.communicate(timeout=300)  # which the ranks hold open, too
    assert (process.returncode, out) == (code, "")
    assert said in (None, err.splitlines())
    assert not any(map(is_running, ranks))
    assert (log.parent / "training.pt").exists()


@pytest.mark.slow  # three processes, twice
@pytest.mark.parametrize("when", ["while they start", "while they train"])
def test_ctrl_c_on_a_terminal_ends_all_ranks_at_once_in_one_word_and_leaves_nothing(when, spawn, zoo, folder):
    temporary = folder / "temporary"
    temporary.mkdir()
    mine, theirs = pty.openpty()
    command = ("train", "--zoo", str(zoo), "--num-epochs", "500", "--patience", "500", *map(str, OPTIONS))
    settings = {"stderr": theirs, "stdin": theirs, "start_new_session": True, "preexec_fn": owns_terminal}
    environment = {**os.environ, "TMPDIR": str(temporary), "TERM": "xterm"}
    process = spawn(*command, "--devices", "2", env=environment, **settings)
    os.close(theirs)
    written: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(mine, written))
    reader.start()
    log, until = zoo / "encoders" / "gnn" / "log.jsonl", time.monotonic() + 300
    while not (len(ranks_of(process)) == 2 if when == "while they start" else log.exists()):
        assert time.monotonic() < until
        time.sleep(0.01)
    ranks = ranks_of(process)
    os.write(mine, b"\x03")
    out, _ = process.communicate(timeout=10)
    assert (process.returncode, out) == (130, "")
    reader.join()
    shown = b"".join(written).decode()
    assert "Traceback" not in shown
    assert re.split(r"[\r\n]|\x1b\[[?0-9;]*[A-Za-z]", shown.rstrip())[-1] == "interrupted"
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")  # the cursor is shown
    assert not any(map(is_running, ranks))
    assert list(temporary.iterdir()) == []


def owns_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read_all(terminal, found):
    """Reads what is written to a terminal until its other end is closed."""
    with suppress(OSError):
        while True:
            found.append(os.read(terminal, 65536))


def is_running(pid):
    """Whether a process is there, and not only waits to be forgotten."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow  # three processes
def test_two_devices_say_what_one_says_and_leave_no_temporary_files(spawn, run, made, zoo, folder):
    temporary = folder / "temporary"
    temporary.mkdir()
    command = ("--num-epochs", 2, *OPTIONS, "--json")
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = spawn("train", "--zoo", str(zoo), *map(str, command), "--devices", "2", env=environment)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert list(temporary.iterdir()) == []
    (row,) = json.loads(out)
    whole = shutil.copytree(made, zoo.parent / "whole")
    (one,) = json.loads(run("train", "--zoo", whole, *command).out)
    same = ("encoder", "runs", "checkpoints", "epochs", "best_epoch")
    assert [row[name] for name in same] == [one[name] for name in same]
    assert row["validation_loss"] == pytest.approx(one["validation_loss"], rel=1e-4)


@pytest.mark.slow  # a launcher and two processes
def test_processes_of_torchrun_train_together(made, zoo):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    call = [sys.executable, "-c", MAIN, "train", "--zoo", zoo, "--num-epochs", 1, *OPTIONS, "--json"]
    done = subprocess.run([*map(str, [*command, *call])], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0
    assert [row["encoder"] for row in json.loads(done.stdout)] == ["gnn"]


@pytest.mark.slow  # three processes
def test_an_error_that_all_ranks_have_is_said_once(spawn, zoo):
    process = spawn("train", "--zoo", str(zoo), "--learning-rate", "1e30", *map(str, OPTIONS), "--devices", "2")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (1, "")
    assert re.fullmatch(r"error: training stopped in epoch 1: the .* is (nan|inf)", err.splitlines()[0])
    assert err.splitlines()[1:] == ["hint: try a smaller --learning-rate"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (("--devices", "none"), 2, "error: --devices 'none': expected a number from 1 to 9999, or all"),
        (("--gpu", "--devices", "all"), 1, "error: device cuda is not available, found 0 cuda devices"),
    ],
)
def test_devices_that_are_not_there_are_refused_before_any_work(flags, code, message, run, zoo):
    result = run("train", "--zoo", zoo, *flags)
    assert result.code == code
    assert result.err.splitlines()[0].startswith(message)
    assert not list((zoo / "encoders").iterdir())


def test_parts_and_determinism_do_not_change_what_is_learned(run, zoo):
    command = ("train", "--zoo", zoo, "--num-epochs", 1, *OPTIONS)
    assert run(*command, "--accumulate", 2, "--deterministic").code == 0
    assert "note: gnn is there already, trained with these options on these runs" in run(*command).err
