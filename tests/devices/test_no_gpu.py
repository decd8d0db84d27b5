"""A device that is not there ends every command that takes one, in one line, before it has done anything."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer

from wembed.cli.app import app
from wembed.errors import UsageError

MAIN = "from wembed.cli.app import app; app(prog_name='wembed')"


def commands(command, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    if hasattr(command, "list_commands"):
        context = typer.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*names, name))
    else:
        yield names, command


def with_option(option: str) -> list[tuple[str, ...]]:
    found = commands(typer.main.get_command(app))
    return [names for names, command in found if any(option in param.opts for param in command.params)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(capsys, *arguments: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as left:
        app(list(arguments), prog_name="wembed")
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


def test_commands_with_a_device_are_found():
    assert {("train",), ("embed",), ("search",), ("zoo", "build")} <= set(with_option("--gpu"))


def test_every_command_with_gpu_takes_a_device_and_the_other_way_round():
    assert with_option("--gpu") == with_option("--device")


@pytest.mark.parametrize("asked", [("--gpu",), ("--device", "cuda:3"), ("--device", "mps")], ids=" ".join)
@pytest.mark.parametrize("names", with_option("--gpu"), ids=" ".join)
def test_a_device_that_is_not_there_is_one_line_and_exit_1(names, asked, capsys, folder, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    kind = "mps" if "mps" in asked else "cuda"
    code, out, err = called(capsys, *names, *asked)
    assert (code, out) == (1, "")
    assert f"is not available, found 0 {kind} devices" in err
    first, second = err.splitlines()
    assert first.startswith("error: device ")
    assert second.startswith("hint: leave out --gpu and --device to run on the CPU")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("names", with_option("--gpu"), ids=" ".join)
def test_gpu_and_another_device_contradict_each_other(names, capsys):
    code, out, err = called(capsys, *names, "--gpu", "--device", "cpu")
    assert (code, out) == (2, "")
    assert err == "error: --gpu and --device cpu contradict each other\nhint: give one of them\n"


def test_gpu_stands_for_the_device_where_another_is_the_default(capsys, monkeypatch):
    asked = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("wembed.cli.zoo_build.Output.choose", lambda *_: (_ for _ in ()).throw(UsageError("stop here")))
    monkeypatch.setattr("wembed.cli.options.resolve_device", asked.append)
    called(capsys, "zoo", "build", "--gpu")
    assert asked == ["cpu", "cuda"]


@pytest.mark.parametrize("names", with_option("--device"), ids=" ".join)
def test_a_device_that_nobody_knows_is_a_wrong_call(names, capsys, folder):
    code, out, err = called(capsys, *names, "--device", "tpu")
    assert (code, out) == (2, "")
    assert err == "error: unknown device 'tpu', known are auto, cpu, cuda, cuda:N, mps\n"
    assert not list(folder.iterdir())


def test_devices_that_are_hidden_are_said_to_be(capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    _, _, err = called(capsys, "embed", "--gpu")
    assert err.endswith("to run on the CPU; CUDA_VISIBLE_DEVICES is ''\n")


def test_a_torch_without_cuda_is_said_to_be(capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("torch.version.cuda", None)
    monkeypatch.setattr("torch.version.hip", None)
    _, _, err = called(capsys, "embed", "--gpu")
    assert err.endswith("to run on the CPU; this torch is built without CUDA\n")


def test_no_visible_devices_end_the_command_in_a_process_of_its_own(folder):
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", MAIN, "train", "--gpu"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 2
    assert done.stderr.startswith("error: device cuda is not available, found 0 cuda devices")
