import errno
import json
from pathlib import Path

import pytest

from wembed.catalog import Zoo


@pytest.mark.parametrize(
    ("arguments", "code", "error", "hint"),
    [
        (["serch"], 2, "no such command 'serch'", "did you mean `wembed search`?"),
        (["zoo", "xyz"], 2, "no such command 'xyz'", "known are build, pull, add, list, show, verify"),
        (["search"], 2, "missing argument 'CKPT...'", "see `wembed search --help`"),
        (["search", "a", "-k", "0"], 2, "invalid value for '-k'", "see `wembed search --help`"),
        (["search", "a", "--format", "xml"], 2, "invalid value for '--format'", "see `wembed search --help`"),
        (["search", "a", "--fromat", "csv"], 2, "no such option: --fromat", "see `wembed search --help`"),
        (["--nope"], 2, "no such option: --nope", "see `wembed --help`"),
        (["permute", "a"], 2, "missing option '--output' / '-o'", "see `wembed permute --help`"),
        (
            ["search", "a"],
            3,
            "no zoo at zoo",
            "make one with `wembed zoo build --zoo zoo`, or with `wembed zoo add FOLDER --zoo zoo`",
        ),
        (["embed"], 3, "no zoo at zoo", "make one with"),
        (["zoo", "list", "--zoo", "other"], 3, "no zoo at other", "make one with `wembed zoo build --zoo other`, or"),
        (["inspect", "a.pt"], 3, "a.pt: no such file", "check the path"),
        (["embed", "a.pt", "-o", "x.csv"], 2, "cannot write x.csv: known are .npz, .parquet", "give -o one of these"),
        (["embed", "a.pt", "--gpu", "--device", "cpu"], 2, "--gpu and --device cpu contradict each other", "give one"),
        (["embed", "a.pt", "--device", "gpu"], 2, "unknown device 'gpu', known are auto, cpu, cuda, cuda:N, mps", ""),
        (["embed", "a.pt", "--encoder", "x"], 3, "no encoder named x", "known are fingerprint, stats, gnn"),
        (["zoo", "add", "none.pt"], 3, "none.pt: no such file or folder", ""),
        (["zoo", "add", ".", "--metadata", "x.csv"], 3, "no metadata file at x.csv", ""),
        (["zoo", "add", ".", "--spec", "x.json"], 3, "no spec file at x.json", "`wembed inspect CKPT"),
    ],
)
def test_every_error_is_one_line_with_a_hint(run, arguments, code, error, hint):
    result = run(*arguments)
    lines = result.err.splitlines()
    assert result.code == code
    assert lines[0].startswith(f"error: {error}")
    assert len(lines) == 1 + bool(hint)
    assert not hint or lines[1].startswith(f"hint: {hint}")


@pytest.mark.parametrize("asked", [["--json"], ["--format", "json"], ["--format=jsonl"]])
def test_with_json_an_error_is_one_object(run, asked):
    result = run("search", "a", *asked)
    assert result.out == ""
    assert json.loads(result.err) == {
        "error": "no zoo at zoo",
        "hint": "make one with `wembed zoo build --zoo zoo`, or with `wembed zoo add FOLDER --zoo zoo`",
        "exit": 3,
    }
    assert json.loads(run("serch", *asked).err)["exit"] == 2


def test_two_formats_at_once_are_a_wrong_call(run):
    result = run("zoo", "list", "--json", "--format", "csv")
    assert json.loads(result.err)["error"] == "--json and --format csv contradict each other"
    assert result.code == 2


def test_a_missing_query_and_an_empty_zoo_are_not_found(run, filled):
    missing = run("search", "missing.safetensors")
    assert (missing.code, missing.out) == (3, "")
    assert missing.err.startswith("error: missing.safetensors: no such file, and no such id in the zoo at zoo\n")
    Zoo.create(Path("empty"))
    empty = run("search", "models/a.safetensors", "--zoo", "empty")
    assert empty.code == 3
    assert empty.err.splitlines() == [
        "error: the zoo at empty is empty",
        "hint: take checkpoints in with `wembed zoo add FOLDER --zoo empty`",
    ]


def test_a_device_that_is_not_there_is_said_before_any_work(run, filled, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    for asked in (["--gpu"], ["--device", "cuda:3"]):
        result = run("search", "a", *asked)
        assert result.code == 1
        assert "is not available, found 0 cuda devices\nhint: leave out --gpu" in result.err


def test_broken_files_are_refused_with_4(run, write):
    write("a.safetensors").write_bytes(b"short")
    result = run("inspect", "a.safetensors")
    assert result.code == 4
    assert result.err.startswith("error: a.safetensors: ")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_what_the_system_refuses_is_one_line(run, filled, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, "No space left on device", "zoo/file")

    monkeypatch.setattr("wembed.catalog.Zoo.rows", refuse)
    result = run("zoo", "list")
    assert (result.code, result.err) == (1, "error: zoo/file: no space left on device\n")


def test_an_interrupt_of_which_a_library_makes_an_error_of_its_own_is_one(run, filled, monkeypatch):
    def interrupted(*_: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as reason:
            raise ImportError("cannot be imported") from reason

    monkeypatch.setattr("wembed.catalog.Zoo.rows", interrupted)
    result = run("zoo", "list")
    assert (result.code, result.err) == (130, "interrupted\n")
    result = run("zoo", "list", "--json")
    assert json.loads(result.err) == {"error": "interrupted", "hint": "", "exit": 130}


def test_a_bug_of_ours_stays_a_traceback(filled, monkeypatch):
    from wembed.cli.app import app

    monkeypatch.setattr("wembed.catalog.Zoo.rows", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        app(["zoo", "list"])


def test_names_from_outside_never_steer_the_terminal(run):
    result = run("inspect", "evil\x1b[2J\nname.pt")
    assert result.err.splitlines()[0] == "error: evil\\x1b[2J\\nname.pt: no such file"


def test_an_empty_standard_input_is_a_wrong_call(run, filled, monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    result = run("search", "-")
    assert (result.code, result.err.splitlines()[0]) == (2, "error: no paths on standard input")


def test_inspect_wants_one_checkpoint(run, monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("a\nb\n"))
    result = run("inspect", "-")
    assert result.err == "error: one checkpoint is expected, found 2 on standard input\n"
    assert result.code == 2


def test_a_wrong_choice_is_told_in_our_words(run):
    result = run("train", "--model-type", "x")
    assert (result.code, "'--model-type': 'x' is not one of 'gnn'" in result.err) == (2, True), result.err
