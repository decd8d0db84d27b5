"""Merges from a recipe to files: folders that can be loaded, and nothing where something goes wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from wembed.checkpoint import open_checkpoint, write_safetensors
from wembed.encoder import Item
from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError, WembedError
from wembed.merging import aligned, running
from wembed.merging.matching import moving
from wembed.merging.output import place
from wembed.merging.recipe.document import Recipe, RecipeModel
from wembed.merging.running import Outcome, Tools, run
from wembed.symmetry import find_spec

SHAPES = {"embed.weight": (9, 4), "up.weight": (8, 4), "down.weight": (4, 8)}
CONFIG = {"vocab_size": 9, "hidden_size": 4, "torch_dtype": "float32"}


@pytest.fixture
def save(tmp_path) -> Callable[..., Item]:
    """Writes a folder with random weights, in one file or in two shards."""

    def write(name: str, seed: int, shards: int = 1) -> Item:
        folder, generator = tmp_path / name, np.random.default_rng(seed)
        folder.mkdir()
        values = {key: generator.normal(size=shape).astype(np.float32) for key, shape in SHAPES.items()}
        names = [f"model-{number + 1:05d}-of-{shards:05d}" for number in range(shards)] if shards > 1 else ["model"]
        files = {key: f"{names[number % shards]}.safetensors" for number, key in enumerate(values)}
        for file in set(files.values()):
            write_safetensors(folder / file, {key: ("F32", values[key]) for key in values if files[key] == file}, {})
        if shards > 1:
            (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
        (folder / "config.json").write_text(json.dumps(CONFIG))
        (folder / "tokenizer.json").write_text(json.dumps({"of": name}))
        checkpoint = open_checkpoint(folder)
        return checkpoint, find_spec(checkpoint)

    return write


def asked(items: list[Item], base: Item | None = None, **keys: object) -> Outcome:
    """Runs a recipe whose networks are called by their folders."""
    out = items[0][0].path.parent / "out"
    models = tuple(RecipeModel(model=checkpoint.path.name) for checkpoint, _ in items)
    recipe = Recipe(models=models, base=base[0].path.name if base else None, **keys)
    return run(recipe, [*([base] if base else []), *items], out)


def values(path: Path) -> dict[str, np.ndarray]:
    checkpoint = open_checkpoint(path)
    return {name: checkpoint.read(name) for name in checkpoint.tensors}


def test_task_vectors_are_added_to_the_base(save, tmp_path):
    base, a, b = save("base", 0), save("a", 1), save("b", 2)
    asked([a, b], base, method="task", scale=0.5)
    ends = [values(tmp_path / name) for name in ("base", "a", "b", "out")]
    for name in SHAPES:
        start, one, other, merged = (end[name] for end in ends)
        np.testing.assert_allclose(merged, start + 0.5 * (one - start) + 0.5 * (other - start), rtol=1e-5, atol=1e-6)


def test_a_folder_gets_what_lies_beside_the_base_and_a_card(save, tmp_path):
    asked([save("a", 1), save("b", 2)], save("base", 0), method="ties")
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert names == {"config.json", "tokenizer.json", "model.safetensors", "README.md"}
    assert json.loads((tmp_path / "out" / "tokenizer.json").read_text()) == {"of": "base"}
    assert "by TIES (Yadav et al., 2023)" in (tmp_path / "out" / "README.md").read_text()


def test_shards_and_one_file_are_merged_alike(save, tmp_path):
    whole, halves, other = save("whole", 1), save("halves", 1, shards=2), save("other", 2)
    recipe = Recipe(models=(RecipeModel(model="a"), RecipeModel(model="b")), align="none")
    run(recipe, [whole, other], tmp_path / "one")
    run(recipe, [halves, other], tmp_path / "two")
    first, second = values(tmp_path / "one"), values(tmp_path / "two")
    assert len(open_checkpoint(tmp_path / "two").files) == 2
    assert all(np.array_equal(first[name], second[name]) for name in SHAPES)


def test_a_small_shard_size_makes_shards_with_an_index(save, tmp_path):
    large = [save(name, seed) for seed, name in enumerate("ab")]
    models = tuple(RecipeModel(model=name) for name in "ab")
    run(Recipe(models=models, align="none", shard_size="1KB"), large, tmp_path / "whole")
    assert (tmp_path / "whole" / "model.safetensors").is_file()
    wide = dict.fromkeys(["x", "y"], ("F32", np.zeros((20, 20), np.float32)))
    write_safetensors(tmp_path / "wide.safetensors", wide, {})
    item = open_checkpoint(tmp_path / "wide.safetensors")
    run(Recipe(models=models, align="none", shard_size="2KB"), [(item, find_spec(item))] * 2, tmp_path / "cut")
    index = json.loads((tmp_path / "cut" / "model.safetensors.index.json").read_text())
    assert sorted(set(index["weight_map"].values())) == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]


@pytest.mark.parametrize("align", ["none", "weights"])
def test_weights_keep_the_name_that_a_library_looks_for(save, tmp_path, align):
    names = []
    for seed, name in enumerate("ab"):
        save(name, seed)
        (tmp_path / name / "model.safetensors").rename(tmp_path / name / "diffusion_pytorch_model.safetensors")
        names.append(open_checkpoint(tmp_path / name))
    asked([(checkpoint, find_spec(checkpoint)) for checkpoint in names], align=align)
    assert (tmp_path / "out" / "diffusion_pytorch_model.safetensors").is_file()
    assert not (tmp_path / "out" / "model.safetensors").exists()


def test_shards_and_their_index_keep_the_name_too(save, tmp_path):
    save("a", 1, shards=2)
    index = tmp_path / "a" / "model.safetensors.index.json"
    for file in [*(tmp_path / "a").glob("*.safetensors"), index]:
        file.rename(file.with_name(f"net_{file.name}"))
    (index.parent / f"net_{index.name}").write_text(
        (index.parent / f"net_{index.name}").read_text().replace('"model-', '"net_model-')
    )
    renamed = open_checkpoint(tmp_path / "a")
    asked([(renamed, find_spec(renamed)), save("b", 2)], align="none")
    found = {file.name for file in (tmp_path / "out").glob("*safetensors*")}
    shards = {f"net_model-0000{number}-of-00002.safetensors" for number in (1, 2)}
    assert found == shards | {"net_model.safetensors.index.json"}
    assert len(open_checkpoint(tmp_path / "out").files) == 2


@pytest.mark.parametrize("align", ["none", "weights"])
def test_one_tensor_under_two_names_stays_one(tmp_path, align):
    items = []
    for seed, name in enumerate(["base", "a", "b"]):
        (embed,) = np.random.default_rng(seed).normal(size=(1, 9, 4)).astype(np.float32)
        tensors = {"embed.weight": ("F32", embed), "head.weight": ("F32", embed.copy())}
        write_safetensors(tmp_path / f"{name}.safetensors", tensors, {})
        checkpoint = open_checkpoint(tmp_path / f"{name}.safetensors")
        items.append((checkpoint, find_spec(checkpoint)))
    base, *models = items
    asked(models, base, method="dare", align=align)
    found = values(tmp_path / "out")
    assert np.array_equal(found["embed.weight"], found["head.weight"])
    assert not np.array_equal(found["embed.weight"], base[0].read("embed.weight"))


@pytest.mark.parametrize("align", ["none", "weights"])
def test_whole_numbers_that_differ_are_told(tmp_path, align):
    items = []
    for seed, name in enumerate("ab"):
        whole = {"ids": np.arange(5) + seed, "same": np.arange(5), "steps": np.asarray(seed)}
        tensors = {"w": ("F32", np.ones((2, 2), np.float32)), **{key: ("I64", value) for key, value in whole.items()}}
        write_safetensors(tmp_path / f"{name}.safetensors", tensors, {})
        checkpoint = open_checkpoint(tmp_path / f"{name}.safetensors")
        items.append((checkpoint, find_spec(checkpoint)))
    assert asked(items, align=align).differing == ("ids",)


def test_what_is_merged_in_memory_is_one_file_and_that_is_said(tmp_path):
    tensors = {"w": ("F32", np.ones((20, 20), np.float32)), "v": ("F32", np.ones((20, 20), np.float32))}
    write_safetensors(tmp_path / "a.safetensors", tensors, {})
    checkpoint = open_checkpoint(tmp_path / "a.safetensors")
    recipe = Recipe(models=(RecipeModel(model="a"), RecipeModel(model="a")), shard_size="2KB")
    notes = run(recipe, [(checkpoint, find_spec(checkpoint))] * 2, tmp_path / "out").notes
    assert "written in one file, larger than 2KB, as networks merged in memory are" in notes


@pytest.mark.parametrize("align", ["none", "weights"])
def test_another_dtype_is_written_and_told_in_the_config(save, tmp_path, align):
    asked([save("a", 1), save("b", 2)], align=align, dtype="bfloat16")
    found = open_checkpoint(tmp_path / "out")
    assert {info.dtype for info in found.tensors.values()} == {"BF16"}
    assert found.config["torch_dtype"] == "bfloat16"


@pytest.mark.parametrize("align", ["none", "weights"])
def test_values_that_do_not_fit_a_dtype_are_refused(tmp_path, align):
    write_safetensors(tmp_path / "a.safetensors", {"w": ("F32", np.full((2, 2), 1e6, np.float32))}, {})
    checkpoint = open_checkpoint(tmp_path / "a.safetensors")
    models = (RecipeModel(model="a"), RecipeModel(model="a"))
    recipe = Recipe(models=models, align=align, dtype="float16")
    with pytest.raises(UsageError, match=r"tensor 'w': a merged value of 1e.06 does not fit F16"):
        run(recipe, [(checkpoint, find_spec(checkpoint))] * 2, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()


def test_an_aligned_merge_says_in_its_card_what_was_aligned(save, tmp_path):
    found = asked([save("a", 1), save("b", 2)])
    line = f"- {found.groups} groups of neurons aligned, squared distance "
    assert (line in (tmp_path / "out" / "README.md").read_text()) == bool(found.groups)


def test_large_networks_are_moved_on_their_way_from_file_to_file(save, tmp_path, monkeypatch):
    pair, models = [save("a", 1), save("b", 2)], (RecipeModel(model="a"), RecipeModel(model="b"))
    held = run(Recipe(models=models), pair, tmp_path / "held")
    for module in (running, aligned, moving):
        monkeypatch.setattr(module, "is_held", lambda _: False)
    moved = run(Recipe(models=models), pair, tmp_path / "moved")
    assert moved.merged is None
    assert (moved.groups, moved.cost_before) == (held.groups, pytest.approx(held.cost_before, rel=1e-5))
    assert moved.cost_after <= moved.cost_before
    ends = [values(tmp_path / name) for name in ("a", "moved")]
    assert all(ends[0][name].shape == ends[1][name].shape for name in SHAPES)
    if moved.cost_after == pytest.approx(held.cost_after, rel=1e-5):
        expected = values(tmp_path / "held")
        assert all(np.allclose(ends[1][name], expected[name], rtol=1e-4, atol=1e-5) for name in SHAPES)


def test_what_is_written_can_be_merged_again(save, tmp_path):
    a, b = save("a", 1), save("b", 2)
    asked([a, b], align="none")
    merged = open_checkpoint(tmp_path / "out")
    models = (RecipeModel(model="out"), RecipeModel(model="a"))
    run(Recipe(models=models, align="none"), [(merged, find_spec(merged)), a], tmp_path / "again")
    assert (tmp_path / "again" / "README.md").is_file()


def test_a_missing_tokenizer_is_a_note(save, tmp_path):
    a, b = save("a", 1), save("b", 2)
    (tmp_path / "a" / "tokenizer.json").unlink()
    assert asked([a, b], align="none").notes == (f"no tokenizer lies in {tmp_path / 'a'}: none is written",)


def test_an_empty_folder_may_be_filled(save, tmp_path):
    (tmp_path / "out").mkdir()
    asked([save("a", 1), save("b", 2)], align="none")
    assert (tmp_path / "out" / "model.safetensors").is_file()


@pytest.fixture
def pair(save) -> list[Item]:
    return [save("a", 1), save("b", 2)]


def left(tmp_path: Path) -> set[str]:
    return {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize("align", ["none", "weights"])
def test_what_is_there_is_not_written_over(pair, tmp_path, align):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(UsageError, match="out exists already, and nothing is written over it"):
        asked(pair, align=align)
    assert (tmp_path / "out" / "mine").read_text() == "mine"


@pytest.mark.parametrize("align", ["none", "weights"])
def test_a_missing_folder_is_not_made(pair, tmp_path, align):
    models = (RecipeModel(model="a"), RecipeModel(model="b"))
    with pytest.raises(NotFoundError, match="its folder does not exist"):
        run(Recipe(models=models, align=align), pair, tmp_path / "no" / "out")


@pytest.mark.parametrize("align", ["none", "weights"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied")])
def test_a_disk_that_refuses_is_one_line_and_leaves_nothing(pair, tmp_path, monkeypatch, align, error):
    def refuse(*_: object) -> str:
        raise error

    before = left(tmp_path)
    monkeypatch.setattr(running, "card_of", refuse)
    with pytest.raises(WembedError, match=f"out: could not be written: {str(error.strerror).lower()}"):
        asked(pair, align=align)
    assert left(tmp_path) == before


def test_a_folder_that_nobody_may_write_to_is_refused_before_the_work(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(place.os, "access", lambda *_: False)
    with pytest.raises(WembedError, match=r"cannot write .*out: no permission to write to "):
        asked(pair)


def test_what_does_not_fit_on_the_disk_is_refused_before_the_work(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(place.shutil, "disk_usage", lambda _: SimpleNamespace(free=399))
    with pytest.raises(WembedError, match=r"cannot write .*out: 400 bytes do not fit, 399 are free"):
        asked(pair)


def test_weights_that_nobody_predicted_are_refused(pair):
    with pytest.raises(UsageError, match="weights are to be predicted, and are not given"):
        asked(pair, weights="predicted")


def test_an_interruption_leaves_nothing(pair, tmp_path):
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before, models = left(tmp_path), (RecipeModel(model="a"), RecipeModel(model="b"))
    with pytest.raises(KeyboardInterrupt):
        run(Recipe(models=models, align="none"), pair, tmp_path / "out", Tools(progress=interrupt))
    assert left(tmp_path) == before


def test_progress_ends_with_all_bytes(pair, tmp_path):
    seen = []
    models = (RecipeModel(model="a"), RecipeModel(model="b"))
    recipe = Recipe(models=models, align="none")
    outcome = run(recipe, pair, tmp_path / "out", Tools(progress=lambda done, total: seen.append((done, total))))
    assert seen[-1] == (outcome.bytes, outcome.bytes)


def test_inputs_are_not_touched(pair, tmp_path):
    before = [checkpoint.file_hash() for checkpoint, _ in pair]
    asked(pair, align="none")
    assert [checkpoint.file_hash() for checkpoint, _ in pair] == before


def test_an_encoder_is_needed_where_the_embedding_counts(pair, tmp_path):
    with pytest.raises(UsageError, match="--method embedding sees networks through an encoder"):
        asked(pair, method="embedding")


def test_files_that_changed_since_they_were_opened_are_refused(pair, tmp_path):
    (tmp_path / "b" / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointRefusedError, match="cannot be read, the file has changed"):
        asked(pair, align="none")
    assert not (tmp_path / "out").exists()
