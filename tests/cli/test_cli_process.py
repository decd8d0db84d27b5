import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wembed.catalog import CatalogRow, Zoo
from wembed.cli.app import COMMANDS, ZOO_COMMANDS

MAIN = "from wembed.cli.app import app; app(prog_name='wembed')"

HELP_SECONDS = 0.4
SEARCH_RATIO = 1.6  # CPU seconds, to those of importing torch
TRIES = 5
PIPE_BYTES = 65536
NOT_FOR_HELP = ("torch", "torch_geometric", "numpy", "pandas", "sklearn", "lance", "huggingface_hub")
NOT_FOR_SEARCH = ("torch", "torch_geometric", "sklearn")  # lance brings pandas, through pyarrow

LOADED = """
import atexit, sys
atexit.register(lambda: print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr))
"""
SLOW = """
import sys, time, wembed.zoo.embed.chunks as chunks, wembed.zoo.embed.run as run
chunks.CHUNK = chunks.Bounds(1, 1000)
whole = run.make_vectors
def slow(encoder, chunk):
    if chunk[0].id == "b":
        print("slow", file=sys.stderr, flush=True)
        time.sleep(60)
    return whole(encoder, chunk)
run.make_vectors = slow
"""

HELPS = [[], ["zoo"], *([name] for name in COMMANDS if name != "zoo"), *(["zoo", name] for name in ZOO_COMMANDS)]


def least_cpu_seconds(*command: str) -> float:
    """The least that a command takes in some tries: what else the machine does only ever adds to it."""
    spent = []
    for _ in range(TRIES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", *command], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(spent)


@pytest.mark.parametrize("words", HELPS, ids=" ".join)
def test_help_loads_nothing_heavy_and_has_an_example(spawn, words):
    process = spawn(*words, "--help", before=LOADED)
    out, err = process.communicate()
    assert process.returncode == 0
    assert not set(err.split()) & set(NOT_FOR_HELP)
    assert words in ([], ["zoo"]) or "Example: wembed" in out


def test_help_is_cheap():
    assert least_cpu_seconds(MAIN, "--help") <= HELP_SECONDS


def test_search_of_a_small_file_is_cheap_beside_importing_torch(filled):
    subprocess.run([sys.executable, "-c", MAIN, "embed"], capture_output=True, check=True)
    search = least_cpu_seconds(MAIN, "search", "models/a.safetensors")
    assert search <= SEARCH_RATIO * least_cpu_seconds("import torch")


def test_no_arguments_show_the_help_and_the_version_is_known(run):
    assert "search" in run().out
    assert "verify" in run("zoo").out
    assert run("--version").out.startswith("wembed 0.")


def test_search_does_without_torch(spawn, filled):
    process = spawn("search", "models/a.safetensors", before=LOADED)
    out, err = process.communicate()
    assert process.returncode == 0
    assert len(out.splitlines()) == 4
    assert not set(err.splitlines()[-1].split()) & set(NOT_FOR_SEARCH)


def test_a_closed_pipe_is_silent():
    zoo = Zoo.create(Path("zoo"))
    zoo.append([CatalogRow(id=f"{number}", path=f"/some/where/{'x' * 100}/{number}.pt") for number in range(3000)])
    command = f'{sys.executable} -c "from wembed.cli.app import app; app()" zoo list; echo $? >&2'
    done = subprocess.run(f"({command}) | head -1", shell=True, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("id\t")
    assert done.stdout.count("\n") == 1
    assert (zoo.root / "catalog.jsonl").stat().st_size > 4 * PIPE_BYTES
    assert done.stderr == "0\n"


def test_an_interrupt_is_clean_and_keeps_what_is_done(spawn, filled, run):
    process = spawn("embed", before=SLOW)
    assert process.stderr
    assert process.stderr.readline() == "slow\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")
    assert run("embed", "--format", "csv").out.splitlines()[1].split(",")[3] == "true"


def test_a_killed_run_leaves_a_zoo_that_works(spawn, filled, run):
    process = spawn("embed", before=SLOW)
    assert process.stderr
    assert process.stderr.readline() == "slow\n"
    process.kill()
    process.communicate()
    assert run("embed", "-q").out.split() == ["a", "b", "c"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line(spawn, filled):
    with Path("/dev/full").open("w") as full:
        process = spawn("zoo", "list", stdout=full)
        err = process.communicate()[1]
    assert process.returncode == 1
    assert "error: no space left on device\n" in err
    assert "Traceback" not in err


def test_a_terminal_that_knows_little_gets_escapes(spawn, filled, write):
    write("models/é.safetensors", 5)
    process = spawn("zoo", "add", "models", env=os.environ | {"PYTHONIOENCODING": "ascii"})
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "models/\\xe9.safetensors" in out
