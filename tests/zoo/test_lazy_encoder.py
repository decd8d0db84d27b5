import json
import subprocess
import sys
from pathlib import Path

import pytest

from wembed.catalog import Zoo
from wembed.encoder import save_encoder
from wembed.encoder.gnn import Gnn, GnnConfig
from wembed.errors import NotFoundError, WembedError
from wembed.zoo import find_encoder
from wembed.zoo.lazy_encoder import LazyEncoder, find_encoder_lazily

SMALL = GnnConfig(hidden_dim=4, global_dim=8, message_passing_steps=1, probes=0)


@pytest.fixture
def zoo(tmp_path) -> Zoo:
    zoo = Zoo.create(tmp_path / "zoo")
    save_encoder(Gnn(SMALL), zoo.root / "encoders" / "mine")
    return zoo


def identity(zoo: Zoo) -> Path:
    return zoo.root / "encoders" / "mine" / "identity.json"


def test_what_was_loaded_once_is_known_without_loading_it(zoo):
    whole = find_encoder_lazily("mine", zoo)
    known = find_encoder_lazily("mine", zoo)
    assert (type(whole), type(known)) == (Gnn, LazyEncoder)
    assert (known.name, known.id, known.dimension) == (whole.name, whole.id, whole.dimension)


def test_a_search_for_a_known_encoder_needs_no_torch(zoo):
    find_encoder_lazily("mine", zoo)
    code = (
        "import sys; from pathlib import Path; from wembed.catalog import Zoo; from wembed.zoo.lazy_encoder import *; "
        "find_encoder_lazily('mine', Zoo(Path(sys.argv[1]))); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(zoo.root)], capture_output=True, check=True, text=True)
    assert done.stdout == "False\n"


def test_it_is_loaded_when_it_is_used(zoo):
    find_encoder_lazily("mine", zoo)
    known = find_encoder_lazily("mine", zoo)
    assert known.embed([]).shape == (0, known.dimension)
    assert isinstance(known.module, type(Gnn(SMALL).module))
    assert not hasattr(known, "nothing")


def test_other_weights_are_another_encoder(zoo):
    first = find_encoder_lazily("mine", zoo).id
    save_encoder(Gnn(GnnConfig(4, 8, 1, 0, seed=1)), zoo.root / "encoders" / "mine")
    again = find_encoder_lazily("mine", zoo)
    assert again.id == find_encoder("mine", zoo).id != first


@pytest.mark.parametrize("kept", ["", "[]", "{}", '{"name": "gnn", "id": "../up", "dimension": 4, "files": "%s"}'])
def test_what_was_kept_wrongly_is_passed_over(zoo, kept):
    whole = find_encoder_lazily("mine", zoo)
    identity(zoo).write_text(kept.replace("%s", json.loads(identity(zoo).read_text())["files"]))
    assert find_encoder_lazily("mine", zoo).id == whole.id


def test_a_device_that_is_not_there_is_told_at_once(zoo):
    find_encoder_lazily("mine", zoo)
    with pytest.raises(WembedError, match="device cuda:99 is not available"):
        find_encoder_lazily("mine", zoo, "cuda:99")


def test_an_unknown_encoder_is_told_with_the_known_ones(zoo):
    with pytest.raises(NotFoundError, match="no encoder named yours") as caught:
        find_encoder_lazily("yours", zoo)
    assert "mine" in caught.value.hint
