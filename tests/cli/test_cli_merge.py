import json
from pathlib import Path

import numpy as np
import pytest
import torch

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.models import MLP, Architecture, ModelDescription, chain_steps, load_dataset, load_module, score
from wembed.symmetry import declare_spec, spec_metadata

PLAIN = MLP(hidden=(6, 5))
NORMED = MLP(hidden=(6,), norm="batch")
COLUMNS = ["method", "align", "out", "groups_aligned", "cost_before", "cost_after"]


@pytest.fixture
def save(folder):
    """Writes a network of an architecture for the wine data, with its symmetries and its description."""

    def write(name: str, architecture: Architecture = PLAIN, dtype: str = "F32", **metadata: str) -> Path:
        description = ModelDescription(architecture=architecture, shape=(13,), classes=3)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(sum(map(ord, name)))
            module = description.build()
        state = {k: v.numpy() for k, v in module.state_dict().items() if v.is_floating_point()}
        spec = declare_spec({k: v.shape for k, v in state.items()}, [chain_steps(module)])
        stored = {k: (dtype, v.astype({"F32": np.float32, "F16": np.float16}[dtype])) for k, v in state.items()}
        text = spec_metadata(spec) | description.metadata() | {"dataset": "wine"} | metadata
        path = Path(f"{name}.safetensors")
        write_safetensors(path, stored, text)
        return path

    return write


def rows(result) -> list[dict]:
    assert result.code == 0, result.err
    return json.loads(result.out)


def accuracy(path: Path) -> float:
    data = load_dataset("wine")
    return score(load_module(open_checkpoint(path)), data.test_inputs, data.test_labels).accuracy


def test_merge_writes_a_network_that_can_be_run(run, save):
    a, b = save("a"), save("b")
    (row,) = rows(run("merge", a, b, "-o", "m.safetensors", "--json"))
    assert list(row) == COLUMNS
    assert (row["method"], row["align"], row["out"], row["groups_aligned"]) == ("linear", "weights", "m.safetensors", 2)
    assert 0 < row["cost_after"] < row["cost_before"]
    merged = open_checkpoint(Path("m.safetensors"))
    assert merged.metadata["derivation"] == "merge of a.safetensors, b.safetensors (linear, weights, t=0.5)"
    assert merged.metadata["dataset"] == "wine"
    assert 0 <= accuracy(Path("m.safetensors")) <= 1
    assert "tier given" in run("inspect", "m.safetensors").err


def test_merge_keeps_no_facts_about_one_of_its_inputs(run, save):
    a, b = save("a", accuracy="0.9", run="r"), save("b", dataset="digits")
    assert run("merge", a, b, "-o", "m.safetensors").code == 0
    assert set(open_checkpoint(Path("m.safetensors")).metadata) == {"wembed.spec", "wembed.model", "derivation"}


def test_merge_at_zero_gives_back_the_first_in_its_dtype(run, save):
    a, b = save("a", dtype="F16"), save("b")
    assert run("merge", a, b, "-o", "m.safetensors", "-t", "0").code == 0
    first, merged = open_checkpoint(a), open_checkpoint(Path("m.safetensors"))
    for name, info in first.tensors.items():
        assert merged.tensors[name].dtype == info.dtype == "F16"
        np.testing.assert_allclose(merged.read(name), first.read(name), rtol=1e-3)


def test_merge_of_a_permuted_copy_finds_it(run, save):
    a = save("a")
    assert run("permute", a, "-o", "p.safetensors", "--rescale", "--seed", "3").code == 0
    (row,) = rows(run("merge", a, "p.safetensors", a, "-o", "m.safetensors", "--json"))
    assert row["cost_after"] < 1e-9 * row["cost_before"]
    assert accuracy(Path("m.safetensors")) == accuracy(a)


def test_dry_run_writes_nothing_and_with_data_says_what_would_come(run, save, folder):
    a, b = save("a"), save("b")
    before = sorted(folder.iterdir())
    (row,) = rows(run("merge", a, b, "--dry-run", "--data", "wine", "--json"))
    assert sorted(folder.iterdir()) == before
    assert list(row) == [*COLUMNS, "accuracy", "endpoints", "naive", "noised_endpoint"]
    assert row["out"] is None
    assert row["endpoints"] == pytest.approx([accuracy(a), accuracy(b)], abs=1e-4)


def test_without_alignment_nothing_is_aligned(run, save):
    (row,) = rows(run("merge", save("a"), save("b"), "--align", "none", "--dry-run", "--json"))
    assert (row["groups_aligned"], row["cost_after"]) == (0, row["cost_before"])


def test_merge_says_that_statistics_are_averages(run, save):
    arguments = ("merge", save("a", NORMED), save("b", NORMED), "-o", "m.safetensors")
    note = "note: batch-norm statistics are averages, give --data to recompute them\n"
    assert note in run(*arguments).err
    assert note not in run(*arguments, "--data", "wine").err


def test_merge_warns_where_nothing_may_be_permuted(run, folder):
    for seed, name in enumerate("ab"):
        values = np.random.default_rng(seed).normal(size=(3, 4)).astype(np.float32)
        write_safetensors(Path(f"{name}.safetensors"), {"w": ("F32", values)}, {})
    result = run("merge", "a.safetensors", "b.safetensors", "-o", "m.safetensors")
    assert result.code == 0
    assert "warning: no neurons may be permuted" in result.err
    values = [open_checkpoint(Path(f"{name}.safetensors")).read("w") for name in "abm"]
    np.testing.assert_allclose(values[2], (values[0] + values[1]) / 2, rtol=1e-6)


def test_merge_says_that_symmetries_were_inferred(run, write):
    write("a.safetensors", 1)
    write("b.safetensors", 2)
    result = run("merge", "a.safetensors", "b.safetensors", "-o", "m.safetensors")
    assert "note: which neurons may be permuted was inferred from names and shapes, not proven\n" in result.err
    assert result.err.endswith("next: wembed path a.safetensors b.safetensors\n")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["b.safetensors", "-o", "a.safetensors"], 2, "a.safetensors is the checkpoint itself, which is never changed"),
        (["b.safetensors"], 2, "a merge is written to a file"),
        (
            ["b.safetensors", "-o", "m.safetensors", "--method", "slerp"],
            2,
            "'slerp' is not one of 'linear', 'embedding'",
        ),
        (
            ["b.safetensors", "b.safetensors", "-o", "m.safetensors", "-t", "0.5"],
            2,
            "-t is the share of the second of two, found 3",
        ),
        (["b.safetensors", "-o", "m.safetensors", "-t", "2"], 2, "'-t'"),
        (["-o", "m.safetensors"], 2, "two or more checkpoints, found 1"),
        (["n.safetensors", "-o", "m.safetensors"], 4, "are not mergeable: tensor 2.weight is [5, 6] and [3, 6]"),
        (["b.safetensors", "-o", "m.safetensors", "--data", "nope"], 3, "no data set 'nope'"),
        (["b.safetensors", "-o", "m.safetensors", "--data", "digits"], 2, "takes inputs of shape [13] with 3 labels"),
        (["missing.safetensors", "-o", "m.safetensors"], 3, "missing.safetensors: no such file"),
    ],
)
def test_merge_refuses_a_wrong_call(run, save, arguments, code, error):
    a = save("a")
    save("b")
    save("n", MLP(hidden=(6,)))
    before = a.read_bytes()
    result = run("merge", a, *arguments)
    assert result.code == code, result.err
    assert error in result.err
    assert a.read_bytes() == before
    assert not Path("m.safetensors").exists()


def test_merge_refuses_dtypes_that_hold_no_average(run, save):
    write_safetensors(Path("x.safetensors"), {"w": ("F8_E4M3", np.zeros((3, 4), np.uint8))}, {})
    write_safetensors(Path("y.safetensors"), {"w": ("F8_E4M3", np.ones((3, 4), np.uint8))}, {})
    result = run("merge", "x.safetensors", "y.safetensors", "-o", "m.safetensors")
    assert result.code == 4
    assert "x.safetensors is not mergeable: tensor w is F8_E4M3, expected one of F64, F32, BF16, F16" in result.err


def test_path_has_the_columns_of_the_contract(run, save):
    a, b = save("a"), save("b")
    result = run("path", a, b)
    lines = [line.split("\t") for line in result.out.splitlines()]
    assert lines[0] == ["t", "naive_accuracy", "aligned_accuracy", "naive_loss", "aligned_loss"]
    assert [line[0] for line in lines[1:]] == [str(float(x)) for x in np.linspace(0, 1, 11)]
    assert "note: loss barrier on wine: naive " in result.err
    found = rows(run("path", a, b, "--data", "wine", "--points", "3", "--json"))
    assert [row["t"] for row in found] == [0.0, 0.5, 1.0]
    assert found[0]["naive_accuracy"] == pytest.approx(accuracy(a))


def test_path_needs_a_data_set_and_networks_that_can_be_run(run, save, write):
    a, b = save("a"), save("b", dataset="digits")
    result = run("path", a, b)
    assert (result.code, result.err.splitlines()[1]) == (2, "hint: give one with --data")
    write("x.safetensors", 1)
    write("y.safetensors", 2)
    result = run("path", "x.safetensors", "y.safetensors", "--data", "wine")
    assert result.code == 4
    assert "carries no description of its network to run it by" in result.err


@pytest.mark.parametrize("command", ["merge", "path"])
def test_help_loads_no_heavy_module(spawn, command):
    heavy = ("torch", "numpy", "scipy", "sklearn", "pandas")
    before = f"import sys, atexit; atexit.register(lambda: print([m for m in {heavy} if m in sys.modules]));"
    process = spawn(command, "--help", before=before)
    out, _ = process.communicate(timeout=60)
    assert out.rstrip().endswith("[]")


def test_merge_by_embedding_names_its_encoder_and_its_controls(run, save):
    a, b = save("a"), save("b")
    arguments = ("merge", a, b, "-o", "m.safetensors", "--method", "embedding", "--data", "wine", "--json")
    (row,) = rows(run(*arguments))
    assert list(row)[-2:] == ["aligned", "noised_aligned"]
    assert row["method"] == "embedding"
    result = run(*arguments, "--encoder", "stats")
    assert result.code == 2
    assert json.loads(result.err.splitlines()[-1])["error"] == "merging by embedding takes a gnn encoder, found stats"


def test_merge_says_when_the_plain_average_is_better(run, save, monkeypatch):
    from wembed import merging
    from wembed.models import Scores

    low, high = Scores(0.5, 1.0), Scores(0.75, 0.5)
    found = merging.Controls((high, high), naive=low, aligned=high, merged=low, noised_endpoint=low, noised_average=low)
    monkeypatch.setattr(merging, "score_controls", lambda *_: found)
    result = run("merge", save("a"), save("b"), "--dry-run", "--data", "wine")
    expected = "the aligned average is better than this merge, 0.750 against 0.500 on held-out data: --method linear"
    assert f"warning: {expected} gives it\n" in result.err
