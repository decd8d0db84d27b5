"""Encoders by name and as folders, what is refused, and the kinship of real checkpoints."""

import json

import numpy as np
import pytest

from wembed.checkpoint import open_checkpoint
from wembed.encoder import DEFAULT_ENCODER, Fingerprint, FingerprintConfig, load_encoder, save_encoder
from wembed.errors import NotFoundError, WembedError
from wembed.symmetry import find_spec


def test_unknown_encoder_lists_the_known_ones():
    with pytest.raises(NotFoundError, match="no encoder 'oracle'") as caught:
        load_encoder("oracle")
    assert caught.value.hint == "built in are fingerprint, stats, gnn; or give a folder"


def test_folder_without_a_config_holds_no_encoder(tmp_path):
    with pytest.raises(NotFoundError, match=r"no encoder in .*: it has no config\.json"):
        load_encoder("mine", tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "3"])
def test_config_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(WembedError, match=r"config\.json is no encoder's config"):
        load_encoder("mine", tmp_path)


def _edited(tmp_path, name, **changes):
    save_encoder(load_encoder(name), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))


def test_other_feature_version_is_refused(tmp_path):
    _edited(tmp_path, "fingerprint", feature_version=-1)
    with pytest.raises(WembedError, match=r"was made with feature version -1, this is \d+") as caught:
        load_encoder("mine", tmp_path)
    assert caught.value.hint == "train it again"


def test_unknown_kind_is_refused(tmp_path):
    _edited(tmp_path, "fingerprint", encoder="oracle")
    with pytest.raises(WembedError, match="holds no oracle encoder that fits its config: unknown kind 'oracle'"):
        load_encoder("mine", tmp_path)


def test_unknown_setting_is_refused(tmp_path):
    _edited(tmp_path, "fingerprint", colour="red")
    with pytest.raises(WembedError, match=r"holds no fingerprint encoder that fits its config: .*'colour'"):
        load_encoder("mine", tmp_path)


def test_weights_that_do_not_fit_the_config_are_refused(tmp_path):
    _edited(tmp_path, "gnn", hidden_dim=24)
    with pytest.raises(WembedError, match="holds no gnn encoder that fits its config"):
        load_encoder("mine", tmp_path)


def test_fingerprint_of_another_config_has_another_id_and_survives(tmp_path):
    encoder = Fingerprint(FingerprintConfig(seed=1))
    save_encoder(encoder, tmp_path)
    again = load_encoder("mine", tmp_path)
    assert again.id == encoder.id != load_encoder("fingerprint").id
    assert again.dimension == encoder.dimension


def test_default_finds_the_parents_of_the_fine_tuned_networks(real_checkpoints):
    paths = sorted((real_checkpoints / "ani").glob("*.safetensors"))
    names = [path.stem for path in paths]
    checkpoints = [open_checkpoint(path) for path in paths]
    vectors = load_encoder(DEFAULT_ENCODER).embed([(checkpoint, find_spec(checkpoint)) for checkpoint in checkpoints])
    scores = vectors @ vectors.T - 9.0 * np.eye(len(names), dtype=np.float32)
    found = {name: names[int(row.argmax())] for name, row in zip(names, scores, strict=True)}
    assert {f"ani-1ccx_{i}": found[f"ani-1ccx_{i}"] for i in range(4)} == {
        f"ani-1ccx_{i}": f"ani-1x_{i}" for i in range(4)
    }
