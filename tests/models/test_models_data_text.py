import numpy as np
import pytest
import torch

from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError
from wembed.models import IGNORED, DataFile, load_dataset
from wembed.models.data import text

PARTS = ("train", "validation", "test")


def words(count: int = 60_000, seed: int = 0) -> str:
    """A text no two windows of which are likely to be the same."""
    return "".join(np.random.default_rng(seed).choice(list(text.VOCABULARY), count))


def windows(found, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    return getattr(found, f"{part}_inputs"), getattr(found, f"{part}_labels")


def test_the_vocabulary_is_fixed():
    assert (len(text.VOCABULARY), text.OTHER, text.MASK, text.SIZE) == (96, 96, 97, 98)
    assert text.VOCABULARY.isprintable() is False and text.VOCABULARY[0] == "\n" and text.VOCABULARY[1:].isprintable()


def test_labels_are_the_next_characters():
    found = load_dataset("documentation")
    assert (found.kind, found.shape, found.classes) == ("text", (32,), 98)
    for part in PARTS:
        inputs, labels = windows(found, part)
        assert inputs.dtype == labels.dtype == torch.int64
        assert torch.equal(inputs[:, 1:], labels[:, :-1])
        assert inputs.min() >= 0 and labels.max() <= text.OTHER
    assert [len(windows(found, part)[0]) for part in PARTS] == [4000, 500, 1000]


def test_five_characters_of_every_window_are_masked_and_asked_for():
    found, masked = load_dataset("documentation"), load_dataset("documentation-masked")
    for part in PARTS:
        (plain, _), (inputs, labels) = windows(found, part), windows(masked, part)
        hidden = inputs == text.MASK
        assert (hidden.sum(1) == 5).all()
        assert torch.equal(torch.where(hidden, labels, inputs), plain)
        assert (labels[~hidden] == IGNORED).all()
    assert not torch.equal(masked.train_labels[:500] == IGNORED, masked.validation_labels == IGNORED)


def test_no_window_has_characters_of_another_part():
    """Every character of this text is in one place only, and the windows tell which."""
    found = text.next_characters("x", words(160_000))
    places = {part: {tuple(row) for row in windows(found, part)[0].tolist()} for part in PARTS}
    assert not places["train"] & places["test"] and not places["train"] & places["validation"]
    blocks = np.array_split(text._ids(words(160_000)), 48)
    strings = [block.astype(np.uint8).tobytes() for block in blocks]
    owners = {
        part: {
            next(number for number, block in enumerate(strings) if row in block)
            for row in (np.array(window, np.uint8).tobytes() for window in places[part])
        }
        for part in PARTS
    }
    assert [len(owners[part]) for part in PARTS] == [24, 8, 16]
    assert not owners["train"] & owners["test"] and not owners["validation"] & (owners["train"] | owners["test"])


def test_windows_of_a_part_do_not_overlap():
    found = text.next_characters("x", words())
    pieces = [row[start : start + 8].numpy().tobytes() for row in found.train_inputs for start in range(25)]
    assert len(set(pieces)) == len(pieces)


def test_characters_outside_the_vocabulary_are_one():
    assert text._ids("a~ \n\té€\U0001f600\ud800").tolist() == [66, 95, 1, 0, 96, 96, 96, 96, 96]


def test_a_text_of_ones_own_is_read_from_a_file_or_a_folder(tmp_path):
    (tmp_path / "b.txt").write_text(words(20_000, 1))
    (tmp_path / "a.txt").write_text(words(20_000, 0))
    (tmp_path / "c.md").write_text("not this")
    one, both = (load_dataset("own", DataFile(path=path)) for path in (tmp_path / "a.txt", tmp_path))
    assert one.digest == text.next_characters("x", words(20_000, 0)).digest
    assert both.digest == text.next_characters("x", words(20_000, 0) + "\n\n" + words(20_000, 1)).digest
    assert (load_dataset("own-masked", DataFile(path=tmp_path)).train_inputs == text.MASK).any()


def test_bytes_that_are_no_text_are_read_as_others(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"\xff\x00\xfe" * 5000)
    assert (load_dataset("own", DataFile(path=tmp_path / "x.txt")).train_inputs == text.OTHER).all()


def test_a_short_text_is_refused(tmp_path):
    (tmp_path / "x.txt").write_text("a" * 9_999)
    with pytest.raises(CheckpointRefusedError, match=r"^text own: 9,999 characters, at least 10,000 are needed$"):
        load_dataset("own", DataFile(path=tmp_path / "x.txt"))


def test_a_long_text_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "_MOST_BYTES", 10)
    (tmp_path / "x.txt").write_text("a" * 11)
    with pytest.raises(CheckpointRefusedError, match=r"x\.txt: 11 bytes, at most 10 are read$"):
        load_dataset("own", DataFile(path=tmp_path / "x.txt"))


def test_a_text_is_no_mnist(tmp_path):
    (tmp_path / "x.txt").write_text("a")
    with pytest.raises(UsageError, match=r"^data set mnist: .*x\.txt is a text$"):
        load_dataset("mnist", DataFile(path=tmp_path / "x.txt"))


def test_licences_are_read_in_order_without_links(tmp_path):
    for name in ("B", "A"):
        (tmp_path / name).write_text(name)
    (tmp_path / "C").symlink_to("A")
    assert text.licences(tmp_path) == "A\n\nB"


def test_where_there_are_no_licences_another_text_is_named(tmp_path):
    with pytest.raises(NotFoundError) as refused:
        text.licences(tmp_path / "none")
    assert refused.value.message == f"{tmp_path / 'none'}: not there, only Debian and its kin have it"
    assert refused.value.hint == "use documentation"
