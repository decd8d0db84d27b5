"""How the packaged encoder is tried: on kinds that it was not trained on, never in its own folder."""

import sys

import pytest

from wembed import pretraining
from wembed.catalog import Zoo
from wembed.encoder import Fingerprint
from wembed.zoo.builder import BuildManifest, BuildOptions, build

MANIFEST = {
    "name": "tries",
    "training": {"snapshots": [20]},
    "children": {"noise": 1, "change": [0.01, 0.02], "steps": 5},
    "groups": [
        {"dataset": "digits", "architecture": {"kind": "mlp", "hidden": [8]}, "runs": 12},
        {"dataset": "digits", "architecture": {"kind": "cnn", "hidden": [4]}, "runs": 5},
    ],
}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Zoo:
    zoo = Zoo(tmp_path_factory.mktemp("pretraining") / "zoo")
    build(zoo, BuildOptions(BuildManifest.model_validate(MANIFEST), seed=0, jobs=1))
    return zoo


def test_a_kind_that_is_left_out_is_asked_for_all_its_children(zoo):
    found = pretraining.left_out(zoo, Fingerprint(), "cnn-*")
    assert (found.kinds, found.queries) == ("cnn-*", 5)
    assert found.learned == found.fingerprint == 1.0


def test_a_try_needs_a_folder_of_its_own(zoo, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pretraining", str(zoo.root), "--hold-out", "cnn-*"])
    monkeypatch.setattr(pretraining, "pretrain", lambda *_: pytest.fail("it would overwrite what is packaged"))
    with pytest.raises(SystemExit):
        pretraining.main()
    assert "--hold-out needs a --folder" in capsys.readouterr().err
