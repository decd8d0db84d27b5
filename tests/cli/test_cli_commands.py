import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch

ADD_COLUMNS = "id\tpath\tstatus\tparams\tstructure\ttier\tfree\tnote"


def rows(result) -> list[dict]:
    assert result.code == 0, result.err
    return json.loads(result.out)


def test_zoo_add_says_what_became_of_every_file(run, write):
    write("models/a.safetensors")
    Path("models/b.safetensors").write_bytes(b"short")
    result = run("zoo", "add", "models")
    header, first, second = result.out.splitlines()
    assert result.code == 6
    assert header == ADD_COLUMNS
    assert first.split("\t")[:4] == ["a", "models/a.safetensors", "taken", "83"]
    assert second.split("\t")[1:3] == ["models/b.safetensors", "refused"]
    assert "note: 1 files, 1 structures, 0 without spec, 1 refused\n" in result.err
    assert "error: models/b.safetensors: " in result.err
    assert run("zoo", "add", "models/b.safetensors").code == 4
    assert rows(run("zoo", "add", "models/a.safetensors", "--json"))[0]["status"] == "unchanged"


def test_zoo_add_reads_metadata_and_says_which_lines_met_nothing(run, write):
    write("a.safetensors")
    Path("rows.csv").write_text("file,dataset\na.safetensors,mnist\nz.pt,x\n")
    result = run("zoo", "add", "a.safetensors", "--metadata", "rows.csv", "--copy")
    assert "warning: 1 lines of rows.csv are about no file added, first z.pt\n" in result.err
    assert "next: wembed search a.safetensors\n" in result.err
    row = rows(run("zoo", "list", "--json"))[0]
    assert (row["dataset"], row["path"]) == ("mnist", "zoo/checkpoints/a.safetensors")


def test_zoo_add_says_what_was_unwrapped(run):
    state = {"module.0.weight": torch.ones(2, 2), "module.0.bias": torch.ones(2)}
    torch.save({"state_dict": state, "optimizer": {"state": {}}}, "a.pth")
    result = run("zoo", "add", "a.pth")
    assert "note: a.pth: prefix 'module.' stripped from 2 names\n" in result.err
    assert "note:" not in run("zoo", "add", "a.pth", "-q").err


def test_zoo_list_has_the_columns_of_the_contract(run, filled):
    header = run("zoo", "list").out.splitlines()[0].split("\t")
    assert header[:7] == ["id", "source", "architecture", "params", "dataset", "accuracy", "sha256"]
    assert run("zoo", "list", "-q").out.split() == ["a", "b", "c"]


def test_the_zoo_can_come_from_the_environment(run, filled, monkeypatch, tmp_path):
    monkeypatch.setenv("WEMBED_ZOO", str(tmp_path / "zoo"))
    monkeypatch.chdir("/")
    assert len(rows(run("zoo", "list", "--json"))) == 3


def test_zoo_show_has_every_column_and_the_family(run, filled, write):
    write("models/child.safetensors", 9, {"parent": "a"})
    run("zoo", "add", "models")
    shown = dict(line.split("\t") for line in run("zoo", "show", "a").out.splitlines())
    assert (shown["id"], shown["dataset"], shown["children"]) == ("a", "digits", "child")
    (row,) = rows(run("zoo", "show", "models/child.safetensors", "--json"))
    assert (row["parent"], row["children"]) == ("a", [])
    missing = run("zoo", "show", "childd")
    assert (missing.code, missing.err.splitlines()[1]) == (3, "hint: did you mean child?")


def test_zoo_verify_is_silent_or_says_what_is_wrong(run, filled):
    fine = run("zoo", "verify")
    assert (fine.code, fine.out) == (0, "id\tpath\tproblem\n")
    Path("models/b.safetensors").unlink()
    broken = run("zoo", "verify", "--json")
    assert broken.code == 4
    assert json.loads(broken.out)[0]["problem"] == "missing"


def test_embed_embeds_the_zoo_once(run, filled):
    first, second = (rows(run("embed", "--json")) for _ in range(2))
    assert [list(row) for row in first] == [["id", "params", "seconds", "skipped", "encoder"]] * 3
    assert [row["skipped"] for row in first + second] == [False] * 3 + [True] * 3
    assert first[0]["encoder"] == "fingerprint"


def test_embed_writes_what_was_asked_in_that_order(run, filled, write):
    write("own.safetensors", 77)
    result = run("embed", "c", "own.safetensors", "a", "-o", "x.npz")
    assert result.code == 0
    with np.load("x.npz") as saved:
        assert saved["ids"].tolist() == ["c", "own.safetensors", "a"]
        assert saved["embeddings"].dtype == np.float32
        assert np.allclose(np.linalg.norm(saved["embeddings"], axis=1), 1, atol=1e-6)
    assert run("embed", "-o", "x.parquet").code == 0
    assert Path("x.parquet").exists()


def test_embed_goes_on_past_a_failure(run, filled):
    result = run("embed", "a", "nope", "models/b.safetensors")
    assert result.code == 6
    assert [line.split("\t")[0] for line in result.out.splitlines()] == ["id", "a", "b"]
    assert "error: nope: no such file" in result.err


def test_embed_of_the_zoo_goes_on_past_a_missing_file(run, filled):
    Path("models/b.safetensors").unlink()
    result = run("embed", "-q")
    assert (result.code, result.out.split()) == (6, ["a", "c"])
    assert result.err.count("error: ") == 1


def test_embed_needs_no_zoo_for_files(run, write):
    write("a.safetensors")
    assert rows(run("embed", "a.safetensors", "--json"))[0]["id"] == "a.safetensors"
    assert not Path("zoo").exists()


def test_search_finds_a_permuted_copy(run, filled):
    permuted = rows(run("permute", "b", "-o", "p.safetensors", "--seed", "1", "--json"))[0]
    assert (permuted["out"], permuted["seed"], permuted["rescaled"]) == ("p.safetensors", 1, False)
    assert len(permuted["sha256"]) == 64
    (found,) = rows(run("search", "p.safetensors", "-k", "1", "--json"))
    columns = ["rank", "id", "score", "path", "architecture", "dataset", "accuracy", "encoder", "percentile"]
    assert list(found) == columns
    assert (found["id"], found["dataset"], found["accuracy"]) == ("b", "digits", 0.6)
    assert found["score"] >= 0.9999
    assert Path(found["path"]).exists()


def test_search_ends_with_the_next_command(run, filled):
    result = run("search", "a", "-k", "9")
    assert len(result.out.splitlines()) == 4
    assert result.err == "next: wembed zoo show a\n"
    assert run("search", "a", "-q").err == ""


def test_search_of_many_queries_says_which(run, filled, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a\nnope\nmodels/b.safetensors\n"))
    result = run("search", "-", "-k", "1", "--format", "csv")
    assert result.code == 6
    assert [line.split(",")[:3] for line in result.out.splitlines()] == [
        ["query", "rank", "id"],
        ["a", "1", "a"],
        ["b", "1", "b"],
    ]


def test_search_passes_over_what_is_gone_with_one_warning(run, filled):
    Path("models/b.safetensors").unlink()
    Path("models/c.safetensors").unlink()
    result = run("search", "a")
    assert result.code == 0
    warnings = [line for line in result.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1
    assert warnings[0].startswith("warning: 2 checkpoints of the zoo are passed over, first ")


def test_a_store_elsewhere_holds_the_embeddings(run, filled):
    assert run("embed", "--store", "elsewhere").code == 0
    assert len(list(Path("elsewhere").glob("fingerprint-*.lance"))) == 1
    assert not list(Path("zoo/embeddings").iterdir())
    assert run("search", "a", "--store", "elsewhere", "--encoder", "stats").code == 0
    assert len(list(Path("elsewhere").glob("*.lance"))) == 2


def test_inspect_shows_groups_and_saves_a_spec_that_can_be_given_back(run, filled):
    result = run("inspect", "a", "--save", "spec.json")
    assert result.out.splitlines()[0] == "group\tsize\tkind\tfree\tscale\twhy\ttensors\tshape"
    assert "note: tier inferred, structure " in result.err
    assert " groups are free, " in result.err
    assert "next: wembed permute a -o permuted.safetensors\n" in result.err
    given = run("inspect", "a", "--spec", "spec.json", "--json")
    assert "tier inferred" in given.err
    assert rows(given)[0]["tensors"]


@pytest.mark.filterwarnings("ignore:.*jit.*:DeprecationWarning")
def test_inspect_writes_a_graph(run, filled):
    assert run("inspect", "a", "--graph", "g.pt").code == 0
    data = torch.load("g.pt", weights_only=False)
    assert data.node_types


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["-o", "x.pt"], "error: cannot write x.pt: expected a .safetensors file\n"),
        (["-o", "models/a.safetensors"], "is the checkpoint itself, which is never changed\n"),
        (["-o", "x.safetensors", "--rescale"], "nothing in it may be rescaled, its activations are not known\n"),
    ],
)
def test_permute_refuses_a_wrong_call(run, filled, arguments, error):
    before = Path("models/a.safetensors").read_bytes()
    result = run("permute", "models/a.safetensors", *arguments)
    assert result.code == 2
    assert error in result.err
    assert Path("models/a.safetensors").read_bytes() == before


def test_permute_is_the_same_for_the_same_seed(run, filled):
    for seed, out in ((1, "x"), (1, "y"), (2, "z")):
        assert run("permute", "a", "-o", f"{out}.safetensors", "--seed", seed).code == 0
    x, y, z = (Path(f"{out}.safetensors").read_bytes() for out in "xyz")
    assert x == y != z
