"""The packaged encoder is not measured on what it was trained on."""

import pytest

from wembed.catalog import CatalogRow
from wembed.encoder import Fingerprint, pretrained, save_encoder
from wembed.errors import WembedError
from wembed.evaluate.trained import check_packaged

ROWS = [CatalogRow(id="a", path="a.pt", content="ab" * 32), CatalogRow(id="b", path="b.pt", init_id="seen")]


def packaged(monkeypatch, folder, training) -> None:
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    save_encoder(Fingerprint(), folder, training)


def test_an_overlap_is_refused(monkeypatch, tmp_path):
    packaged(monkeypatch, tmp_path, {"content": ["ab" * 8], "init_seeds": ["seen"]})
    message = "the packaged encoder was trained on 2 of 2 checkpoints here, first a"
    with pytest.raises(WembedError, match=message) as caught:
        check_packaged(["fingerprint", "pretrained"], ROWS)
    assert caught.value.hint == "build the zoo with another seed, or name other encoders with --encoder"


def test_without_an_overlap_or_the_packaged_encoder_all_is_well(monkeypatch, tmp_path):
    packaged(monkeypatch, tmp_path, {"content": ["cd" * 8], "init_seeds": []})
    check_packaged(["pretrained"], ROWS)
    packaged(monkeypatch, tmp_path, {"content": ["ab" * 8]})
    check_packaged(["fingerprint"], ROWS)
