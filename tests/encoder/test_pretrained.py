"""The packaged encoder: how it is found, and what the files in the package must be; the latter once they are there."""

import json

import numpy as np
import pytest

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import in_memory
from wembed.encoder import Fingerprint, load_encoder, pretrained, save_encoder, training_of
from wembed.encoder.pretrained.packaged import CARD
from wembed.errors import NotFoundError
from wembed.symmetry import find_spec
from wembed.zoo import encoder_name, find_encoder

MOST_BYTES = 5_000_000

packaged = pytest.mark.skipif(not pretrained.is_packaged(), reason="this checkout packages no trained encoder yet")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in the packaged encoder's place."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "packaged")
    save_encoder(Fingerprint(), tmp_path / "packaged", {"content": ["ab" * 32], "init_seeds": ["seed1"]})
    return tmp_path / "packaged"


def row(name: str, content: str = "", init: str | None = None) -> CatalogRow:
    return CatalogRow(id=name, path=f"{name}.safetensors", content=content, init_id=init)


def test_the_packaged_encoder_is_found_with_and_without_a_zoo(folder, tmp_path):
    zoo = Zoo.create(tmp_path / "zoo")
    assert {find_encoder("pretrained", place).id for place in (None, zoo)} == {Fingerprint().id}


def test_an_install_without_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    monkeypatch.setattr("wembed.encoder.pretrained.packaged.FOLDER", tmp_path)
    with pytest.raises(NotFoundError, match="no encoder named nope") as caught:
        find_encoder("nope", None)
    assert "pretrained" not in caught.value.hint


@pytest.mark.parametrize("default", ["fingerprint", "pretrained"])
def test_one_constant_says_what_is_taken_where_a_zoo_has_none_of_its_own(folder, tmp_path, monkeypatch, default):
    monkeypatch.setattr("wembed.zoo.encoders.DEFAULT_ENCODER", default)
    zoo = Zoo.create(tmp_path / "zoo")
    assert encoder_name(None, zoo) == encoder_name(None, None) == default
    assert find_encoder(None, zoo).name == "fingerprint"
    save_encoder(Fingerprint(), zoo.root / "encoders" / "mine")
    assert encoder_name(None, zoo) == "mine"
    assert encoder_name("stats", zoo) == "stats"


def test_what_it_was_trained_on_is_told_by_weights_and_by_initial_weights(folder):
    rows = [
        row("same weights", "ab" * 32), row("same init", "cd" * 32, "seed1"), row("other", "ef" * 32, "seed2"),
        row("unknown"), row("no init", "ab" * 7),
    ]  # fmt: skip
    assert pretrained.overlap(training_of(folder), rows) == ["same weights", "same init"]


def test_a_config_may_shorten_its_hashes():
    assert pretrained.overlap({"content": ["ab" * 8]}, [row("a", "ab" * 32), row("b", "ab" * 7 + "cd" * 25)]) == ["a"]


@pytest.mark.parametrize(
    "training", [{}, {"content": None, "init_seeds": "seed1"}, {"content": [], "init_seeds": [""]}]
)
def test_an_encoder_that_does_not_say_overlaps_with_nothing(training):
    assert pretrained.overlap(training, [row("a", "ab" * 32, "seed1"), row("b")]) == []


@packaged
def test_the_packaged_files_are_small_and_say_what_they_are():
    files = {path.name: path.stat().st_size for path in pretrained.FOLDER.iterdir() if path.suffix != ".py"}
    assert {"config.json", "model.safetensors", "card.md"} <= files.keys()
    assert sum(files.values()) <= MOST_BYTES
    assert find_encoder("pretrained", None, "cpu").id in CARD.read_text(encoding="utf-8")
    training = training_of(pretrained.FOLDER)
    assert training["content"]
    assert training["init_seeds"]


@packaged
def test_the_packaged_encoder_embeds_a_network_in_any_order():
    generator = np.random.default_rng(0)
    tensors = {
        f"{place}.{kind}": generator.normal(size=size).astype(np.float32)
        for place, shape in ((0, (7, 5)), (2, (3, 7)))
        for kind, size in (("weight", shape), ("bias", shape[:1]))
    }
    order = generator.permutation(7)
    shuffled = tensors | {"0.weight": tensors["0.weight"][order], "0.bias": tensors["0.bias"][order]}
    shuffled["2.weight"] = tensors["2.weight"][:, order]
    networks = [in_memory(each) for each in (tensors, shuffled)]
    one, other = find_encoder("pretrained", None, "cpu").embed([(network, find_spec(network)) for network in networks])
    assert np.linalg.norm(one - other) < 1e-4


@packaged
def test_the_packaged_encoder_was_not_trained_on_the_real_checkpoints(real_checkpoints):
    from wembed.checkpoint import find_checkpoints, open_checkpoint

    files = [path for path in find_checkpoints(real_checkpoints) if path.suffix == ".safetensors"]
    rows = [row(path.name, open_checkpoint(path).content_hash()) for path in files]
    assert pretrained.overlap(training_of(pretrained.FOLDER), rows) == []


@packaged
def test_the_packaged_config_is_json_that_load_encoder_reads():
    assert json.loads((pretrained.FOLDER / "config.json").read_text(encoding="utf-8"))["encoder"]
    assert load_encoder("pretrained", pretrained.FOLDER).dimension > 0
