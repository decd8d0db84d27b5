import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from wembed.catalog import Zoo
from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.merging import load_recipe, merge, running
from wembed.models import MLP, Architecture, ModelDescription, chain_steps, load_dataset, load_module, score
from wembed.symmetry import declare_spec, spec_metadata

PLAIN = MLP(hidden=(6, 5))
NORMED = MLP(hidden=(6,), norm="batch")
COLUMNS = ["method", "align", "out", "groups_aligned", "cost_before", "cost_after"]
PLAN_COLUMNS = ["tensor", "status", "shape", "dtype", "bytes", "groups", "found"]


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


def save_with_nan(like: Path, path: Path) -> None:
    """Writes a checkpoint like another with a NaN in it."""
    checkpoint = open_checkpoint(like)
    stored = {name: (info.dtype, checkpoint.read_stored(name)) for name, info in checkpoint.tensors.items()}
    stored["0.bias"][1][2] = np.nan
    write_safetensors(path, stored, checkpoint.metadata)


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
    assert yaml.safe_load(merged.metadata["wembed.recipe"])["models"] == [{"model": str(a)}, {"model": str(b)}]
    assert json.loads(merged.metadata["wembed.merged"])[str(a)] == open_checkpoint(a).file_hash()
    assert merged.metadata["dataset"] == "wine"
    assert 0 <= accuracy(Path("m.safetensors")) <= 1
    assert "tier given" in run("inspect", "m.safetensors").err


def test_merge_keeps_no_facts_about_one_of_its_inputs(run, save):
    a, b = save("a", accuracy="0.9", run="r"), save("b", dataset="digits")
    assert run("merge", a, b, "-o", "m.safetensors").code == 0
    kept = {"wembed.spec", "wembed.model", "derivation", "wembed.recipe", "wembed.merged"}
    assert set(open_checkpoint(Path("m.safetensors")).metadata) == kept


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


def test_dry_run_says_tensor_by_tensor_what_would_come_and_writes_nothing(run, save, folder):
    a, b = save("a"), save("b")
    before = sorted(folder.iterdir())
    result = run("merge", a, b, "--dry-run", "--json")
    found = rows(result)
    assert sorted(folder.iterdir()) == before
    assert list(found[0]) == PLAN_COLUMNS
    assert [row["tensor"] for row in found] == list(open_checkpoint(a).tensors)
    assert {row["status"] for row in found} == {"merged"}
    assert sum(row["bytes"] for row in found) == 4 * open_checkpoint(a).parameters
    assert "note: 6 tensors merged, 0 copied, 0 that differ\n" in result.err
    assert "note: 2 groups of neurons to be brought into one order\n" in result.err
    assert "B to be written, less than a second of one core, " in result.err.replace("bytes", "B")


def test_dry_run_shows_what_differs_and_refuses_it(run, save):
    save("a")
    save("n", MLP(hidden=(6,)))
    result = run("merge", "a.safetensors", "n.safetensors", "--dry-run", "--json")
    assert result.code == 4
    status = {row["tensor"]: row["status"] for row in json.loads(result.out)}
    assert status == {
        "0.weight": "merged", "0.bias": "merged", "2.weight": "shape", "2.bias": "shape", "4.weight": "missing",
        "4.bias": "missing",
    }  # fmt: skip
    error = json.loads(result.err.splitlines()[-1])["error"]
    assert "tensor '2.weight' is [5, 6] and [3, 6], which differ along axis 0" in error


def test_without_alignment_the_files_are_averaged_as_they_are(run, save):
    a, b = save("a"), save("b")
    (row,) = rows(run("merge", a, b, "--align", "none", "-o", "m.safetensors", "--json"))
    assert (row["groups_aligned"], row["cost_before"], row["cost_after"]) == (0, None, None)
    merged, *ends = (open_checkpoint(path) for path in (Path("m.safetensors"), a, b))
    for name in merged.tensors:
        np.testing.assert_allclose(merged.read(name), sum(end.read(name) for end in ends) / 2, rtol=1e-6)


def test_merge_says_that_statistics_are_averages(run, save):
    arguments = ("merge", save("a", NORMED), save("b", NORMED), "-o")
    note = "note: batch-norm statistics are averages, give --data to recompute them\n"
    assert note in run(*arguments, "m.safetensors").err
    assert note not in run(*arguments, "n.safetensors", "--data", "wine").err


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
    assert result.err.endswith("next: wembed inspect m.safetensors\n")


def test_a_merge_of_networks_that_can_be_run_leads_to_the_way_between_them(run, save):
    result = run("merge", save("a"), save("b"), "-o", "m.safetensors")
    assert result.err.endswith("next: wembed path a.safetensors b.safetensors\n")


def test_the_same_file_twice_is_merged_and_noted(run, save):
    a = save("a")
    result = run("merge", a, a, "-o", "m.safetensors")
    assert result.code == 0
    assert "note: a.safetensors and a.safetensors are the same file\n" in result.err
    assert accuracy(Path("m.safetensors")) == accuracy(a)


def test_a_recipe_says_what_the_flags_would(run, save):
    a, b = save("a"), save("b")
    Path("r.yaml").write_text(f"models:\n- {{model: {a}, weight: 3}}\n- {{model: {b}, weight: 1}}\nalign: none\n")
    assert run("merge", "--recipe", "r.yaml", "-o", "m.safetensors").code == 0
    assert run("merge", a, b, "--weights", "3,1", "--align", "none", "-o", "n.safetensors").code == 0
    one, other = (open_checkpoint(Path(f"{name}.safetensors")) for name in "mn")
    assert one.content_hash() == other.content_hash()
    assert one.metadata["wembed.recipe"] == other.metadata["wembed.recipe"]


def test_the_recipe_in_the_help_is_one(run, folder):
    from wembed.cli.merge import merge as command
    from wembed.merging.recipe.check import check_recipe

    Path("r.yaml").write_text(command.__doc__[command.__doc__.index("{") :])
    recipe = load_recipe(Path("r.yaml"))
    check_recipe(recipe)
    assert recipe.names == ["llama", "code", "chat"]


def test_a_flag_takes_the_place_of_what_a_recipe_says(run, save):
    a, b = save("a"), save("b")
    Path("r.yaml").write_text(f"models: [{a}, {b}]\nt: 0.25\nalign: none\n")
    assert run("merge", "--recipe", "r.yaml", "-t", "1", "-o", "m.safetensors").code == 0
    assert open_checkpoint(Path("m.safetensors")).content_hash() == open_checkpoint(b).content_hash()
    assert run("merge", b, b, "--recipe", "r.yaml", "-o", "n.safetensors").code == 0
    assert open_checkpoint(Path("n.safetensors")).content_hash() == open_checkpoint(b).content_hash()


def test_a_flag_that_says_how_much_each_counts_takes_the_place_of_all_that_says_so(run, save):
    a, b = save("a"), save("b")
    Path("w.yaml").write_text(f"models: [{{model: {a}, weight: 3}}, {{model: {b}, weight: 1}}]\nalign: none\n")
    Path("t.yaml").write_text(f"models: [{a}, {b}]\nt: 0.25\nalign: none\n")
    assert run("merge", "--recipe", "w.yaml", "-t", "1", "-o", "m.safetensors").code == 0
    assert run("merge", "--recipe", "t.yaml", "--weights", "0,1", "-o", "n.safetensors").code == 0
    hashes = [open_checkpoint(Path(f"{name}.safetensors")).content_hash() for name in "mnb"]
    assert len(set(hashes)) == 1


def test_what_a_merge_says_of_itself_makes_it_again(run, save):
    a, b = save("a"), save("b")
    assert run("merge", a, b, "-o", "m.safetensors", "--weights", "0.2,0.8").code == 0
    Path("again.yaml").write_text(open_checkpoint(Path("m.safetensors")).metadata["wembed.recipe"])
    assert run("merge", "--recipe", "again.yaml", "-o", "n.safetensors").code == 0
    hashes = {open_checkpoint(Path(f"{name}.safetensors")).content_hash() for name in "mn"}
    assert len(hashes) == 1


def test_fine_tunes_are_merged_into_a_folder_with_a_card(run, save):
    base, a, b = save("base"), save("a"), save("b")
    arguments = ("merge", a, b, "--base", base, "--method", "dare", "--density", "0.5", "--seed", "3", "-o")
    (row,) = rows(run(*arguments, "merged", "--json"))
    assert (row["method"], row["align"], row["out"], row["groups_aligned"]) == ("dare", "none", "merged", 0)
    assert {path.name for path in Path("merged").iterdir()} == {"README.md", "model.safetensors"}
    assert "seed: 3" in Path("merged/README.md").read_text()
    assert run(*arguments, "again").code == 0
    hashes = {open_checkpoint(Path(name)).content_hash() for name in ("merged", "again")}
    assert len(hashes) == 1


def test_a_merge_that_takes_long_says_so_first(run, save, monkeypatch):
    from wembed.cli import merge_shown

    a, b = save("a"), save("b")
    assert "to come" not in run("merge", a, b, "-o", "m.safetensors").err
    monkeypatch.setattr(merge_shown, "_LONG", 0.0)
    assert "note: less than a second of one core to come\n" in run("merge", a, b, "-o", "n.safetensors").err


def test_a_card_names_the_repositories_that_a_zoo_pulled(run, filled):
    zoo = Zoo.open(filled)
    zoo.append([dataclasses.replace(row, source=f"hf://org/{row.id}") for row in zoo.rows()])
    assert run("merge", "a", "b", "-o", "merged").code == 0
    card = Path("merged/README.md").read_text()
    assert yaml.safe_load(card.split("---\n")[1])["base_model"] == ["org/a", "org/b"]


def test_weights_may_be_predicted_accuracies(run, save, monkeypatch):
    from wembed.cli import merge_predicted

    a, b = save("a"), save("b")
    monkeypatch.setattr(merge_predicted, "predicted_accuracies", lambda *_: [0.25, 0.75])
    result = run("merge", a, b, "--weights", "predicted", "--align", "none", "-o", "m.safetensors")
    assert "note: predicted accuracies: 0.2500, 0.7500\n" in result.err
    merged, *ends = (open_checkpoint(path) for path in (Path("m.safetensors"), a, b))
    expected = 0.25 * ends[0].read("0.weight") + 0.75 * ends[1].read("0.weight")
    np.testing.assert_allclose(merged.read("0.weight"), expected, rtol=1e-6)


def test_a_card_of_predicted_weights_says_so_and_makes_the_merge_again(run, save, monkeypatch):
    from wembed.cli import merge_predicted

    a, b = save("a"), save("b")
    monkeypatch.setattr(merge_predicted, "predicted_accuracies", lambda *_: [0.25, 0.75])
    assert run("merge", a, b, "--weights", "predicted", "-o", "merged").code == 0
    card = Path("merged/README.md").read_text()
    assert "- The weights are the accuracies that were predicted of the networks.\n" in card
    Path("again.yaml").write_text(card.split("```yaml\n")[1].split("```")[0])
    assert load_recipe(Path("again.yaml")).weights is None
    monkeypatch.setattr(merge_predicted, "predicted_accuracies", lambda *_: pytest.fail("predicted again"))
    assert run("merge", "--recipe", "again.yaml", "-o", "again").code == 0
    hashes = {open_checkpoint(Path(name)).content_hash() for name in ("merged", "again")}
    assert len(hashes) == 1


def test_numbers_take_the_place_of_a_recipe_that_has_weights_predicted(run, save):
    a, b = save("a"), save("b")
    Path("r.yaml").write_text(f"models: [{a}, {b}]\nweights: predicted\nalign: none\n")
    assert run("merge", "--recipe", "r.yaml", "--weights", "0,1", "-o", "m.safetensors").code == 0
    assert open_checkpoint(Path("m.safetensors")).content_hash() == open_checkpoint(b).content_hash()


@pytest.mark.parametrize(("shape", "found"), [((5,), "1 tensor of whole numbers differs"), ((), "")])
def test_merge_warns_of_whole_numbers_that_differ(run, folder, shape, found):
    for number, name in enumerate("ab"):
        tensors = {"w": ("F32", np.ones((3, 4), np.float32)), "ids": ("I64", np.full(shape, number))}
        write_safetensors(Path(f"{name}.safetensors"), tensors, {})
    result = run("merge", "a.safetensors", "b.safetensors", "--align", "none", "-o", "m.safetensors")
    told = f"warning: {found} between the networks, first 'ids': written as in the first, not averaged\n"
    assert result.code == 0
    assert (told in result.err) == bool(found)
    assert ("whole numbers" in result.err) == bool(found)


def test_a_merge_that_is_interrupted_leaves_nothing(run, save, monkeypatch):
    from wembed.merging import running

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    a, b = save("a"), save("b")
    monkeypatch.setattr(running, "write_weights", interrupt)
    assert run("merge", a, b, "--align", "none", "-o", "m").code == 130
    assert {path.name for path in Path().iterdir()} == {"a.safetensors", "b.safetensors"}


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["b.safetensors", "-o", "a.safetensors"], 2, "a.safetensors is the checkpoint itself, which is never changed"),
        (["b.safetensors", "-o", "b.safetensors"], 2, "b.safetensors is the checkpoint itself, which is never changed"),
        (["b.safetensors", "-o", "n.safetensors"], 2, "n.safetensors exists already, and nothing is written over it"),
        (["b.safetensors", "-o", "full"], 2, "full exists already, and nothing is written over it"),
        (["b.safetensors", "-o", "no/m.safetensors"], 3, "no/m.safetensors: its folder does not exist"),
        (["b.safetensors", "-o", "m.bin"], 2, "cannot write m.bin: weights are written as safetensors"),
        (["b.safetensors", "-o", "m.Safetensors"], 2, "cannot write m.Safetensors: weights are written as safetensors"),
        (["b.safetensors"], 2, "a merge is written to a file"),
        (
            ["b.safetensors", "-o", "m.safetensors", "--method", "median"],
            2,
            "'median' is not one of 'linear', 'slerp',",
        ),
        (["b.safetensors", "-o", "m.safetensors", "--method", "ties"], 2, "--method ties takes a base"),
        (["b.safetensors", "-o", "m.safetensors", "--base", "b.safetensors"], 2, "--base is not for --method linear"),
        (["b.safetensors", "-o", "m.safetensors", "--density", "0.5"], 2, "--density is not for --method linear"),
        (
            ["b.safetensors", "-o", "m.safetensors", "--weights", "1;2"],
            2,
            "--weights '1;2': expected numbers with commas",
        ),
        (
            ["b.safetensors", "-o", "m.safetensors", "--weights", "1,2,3"],
            2,
            "one for each of 2 models is expected, found 3",
        ),
        (["b.safetensors", "-o", "m.safetensors", "--weights", "1,nan"], 2, "weights, t and scale must be finite"),
        (["b.safetensors", "-o", "m.safetensors", "--weights", "predicted"], 3, "no zoo at"),
        (["b.safetensors", "-o", "m", "--shard-size", "5"], 2, "--shard-size '5': a size of at least 1KB is expected"),
        (["b.safetensors", "-o", "m.safetensors", "--recipe", "r.yaml"], 3, "r.yaml: no such file"),
        (["b.safetensors", "-o", "m.safetensors", "--recipe", "full"], 3, "full: is a folder, expected a YAML or TOML"),
        (
            ["b.safetensors", "-o", "m.safetensors", "--weights", "1e308,1e308"],
            2,
            "weights must add up to a finite number",
        ),
        (
            ["b.safetensors", "-o", "m.safetensors", "--base", "b.safetensors", "--method", "task", "--scale", "1e39"],
            2,
            "merged values overflow",
        ),
        (
            ["x.safetensors", "-o", "m.safetensors"],
            4,
            "tensor '0.bias': 1 of 6 values are NaN or infinite, the first at [2]",
        ),
        (["x.safetensors", "-o", "m", "--align", "none"], 4, "tensor '0.bias': 1 of 6 values are NaN or infinite"),
        (
            ["b.safetensors", "b.safetensors", "-o", "m.safetensors", "-t", "0.5"],
            2,
            "-t is the share of the second of two, found 3",
        ),
        (["b.safetensors", "-o", "m.safetensors", "-t", "2"], 2, "'-t'"),
        (["-o", "m.safetensors"], 2, "two or more checkpoints, found 1"),
        (["n.safetensors", "-o", "m.safetensors"], 4, "are not mergeable: tensor '2.weight' is [5, 6] and [3, 6]"),
        (["b.safetensors", "-o", "m.safetensors", "--data", "nope"], 3, "no data set 'nope'"),
        (["b.safetensors", "-o", "m.safetensors", "--data", "digits"], 2, "takes inputs of shape [13] with 3 labels"),
        (["missing.safetensors", "-o", "m.safetensors"], 3, "missing.safetensors: no such file"),
    ],
)
def test_merge_refuses_a_wrong_call(run, save, arguments, code, error):
    a = save("a")
    save("b")
    save("n", MLP(hidden=(6,)))
    save_with_nan(a, Path("x.safetensors"))
    Path("full").mkdir()
    Path("full/file").touch()
    before = a.read_bytes()
    result = run("merge", a, *arguments)
    assert result.code == code, result.err
    assert error in result.err
    assert a.read_bytes() == before
    assert [line.partition(":")[0] for line in result.err.splitlines() if not line.startswith("note")][:1] in (
        ["error"],
        ["Usage"],
    )
    left = {path.name for path in Path().iterdir()}
    assert left == {"a.safetensors", "b.safetensors", "n.safetensors", "x.safetensors", "full"}


def test_the_folder_that_one_is_in_is_not_written_over(run, save, folder, monkeypatch):
    a, b = (save(name).absolute() for name in "ab")
    (folder / "empty").mkdir()
    monkeypatch.chdir(folder / "empty")
    for out in (".", folder / "empty"):
        result = run("merge", a, b, "-o", out)
        assert result.code == 2
        assert f"error: {out} is the folder that you are in, which a merge would take the place of\n" in result.err
    assert list(Path().iterdir()) == []


def test_networks_are_planned_once(run, save, monkeypatch):
    from wembed.cli import merge_work

    def refuse(*_: object) -> None:
        pytest.fail("planned again")

    monkeypatch.setattr(running, "plan", refuse)
    assert merge_work.plan is not refuse
    assert run("merge", save("a"), save("b"), "-o", "m.safetensors").code == 0


def test_dry_run_refuses_networks_of_other_activations(run, save):
    save("a", MLP(hidden=(6,), activation="relu"))
    save("b", MLP(hidden=(6,), activation="tanh"))
    result = run("merge", "a.safetensors", "b.safetensors", "--dry-run")
    assert result.code == 4
    assert "a.safetensors and b.safetensors are not mergeable: behind 0.out stands relu and tanh" in result.err


def test_merge_refuses_dtypes_that_hold_no_average(run, save):
    write_safetensors(Path("x.safetensors"), {"w": ("F8_E4M3", np.zeros((3, 4), np.uint8))}, {})
    write_safetensors(Path("y.safetensors"), {"w": ("F8_E4M3", np.ones((3, 4), np.uint8))}, {})
    result = run("merge", "x.safetensors", "y.safetensors", "-o", "m.safetensors")
    assert result.code == 4
    assert "are not mergeable: tensor 'w' is F8_E4M3, expected one of F64, F32, BF16, F16" in result.err


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


def test_merge_by_embedding_names_its_encoder_and_its_controls(run, save, monkeypatch):
    seen = []

    def search(items, options, encoder, maximise):
        seen.append((encoder.name, maximise))
        return merge(items, options)

    monkeypatch.setattr(running, "merge_by_embedding", search)
    arguments = ("merge", save("a"), save("b"), "--method", "embedding", "--data", "wine", "--maximise", "accuracy")
    (row,) = rows(run(*arguments, "--json", "-o", "m.safetensors"))
    assert seen == [("gnn", "accuracy")]
    assert list(row)[-2:] == ["aligned", "noised_aligned"]
    assert row["method"] == "embedding"


def test_merge_by_embedding_takes_an_encoder_with_gradients(run, save):
    arguments = ("merge", save("a"), save("b"), "--method", "embedding", "-o", "m.safetensors", "--encoder", "stats")
    result = run(*arguments)
    assert result.code == 2
    assert "error: merging by embedding takes a gnn encoder, found stats\n" in result.err


def test_matching_may_start_from_where_an_encoder_sees_neurons(run, save):
    (row,) = rows(run("merge", save("a"), save("b"), "--align", "embedding", "-o", "m.safetensors", "--json"))
    assert row["align"] == "embedding"
    assert 0 < row["cost_after"] < row["cost_before"]


def test_merge_says_when_the_plain_average_is_better(run, save, monkeypatch):
    from wembed import merging
    from wembed.models import Scores

    low, high = Scores(0.5, 1.0), Scores(0.75, 0.5)
    found = merging.Controls((high, high), low, low, aligned=high, merged=low, noised_endpoint=low, noised_average=None)
    monkeypatch.setattr(merging, "score_controls", lambda *_: found)
    result = run("merge", save("a"), save("b"), "-o", "m.safetensors", "--data", "wine")
    expected = "the aligned average is better than this merge, 0.750 against 0.500 on held-out data: --method linear"
    assert f"warning: {expected} gives it\n" in result.err
