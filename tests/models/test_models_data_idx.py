import gzip
import struct

import numpy as np
import pytest
import torch

from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError
from wembed.models import DataFile, load_dataset
from wembed.models.data import load
from wembed.models.data.idx import read_idx

SPELLINGS = ("{}-images-idx3-ubyte", "{}-images.idx3-ubyte", "{}-images-idx3.ubyte")


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def save_mnist(folder, parts=("train", "t10k"), count=60, size=28, spelling=SPELLINGS[0], packed=True):
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    for part in parts:
        images = generator.integers(0, 256, (count, size, size)).astype(np.uint8)
        for what, array in (("images", images), ("labels", (np.arange(count) % 10).astype(np.uint8))):
            name = spelling.format(part).replace("images", what)
            name = name.replace("idx3", "idx1") if what == "labels" else name
            path = folder / (name + ".gz" * packed)
            path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    return folder


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """Nothing is found but what a test writes."""
    monkeypatch.setattr(load, "_PLACE", tmp_path / "place")
    monkeypatch.delenv("WEMBED_DATA", raising=False)
    load._load.cache_clear()
    yield
    load._load.cache_clear()


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("packed", [True, False])
def test_a_folder_of_the_mnist_layout_keeps_its_test_part(tmp_path, spelling, packed):
    found = load_dataset("own", DataFile(path=save_mnist(tmp_path, spelling=spelling, packed=packed)))
    assert (found.name, found.kind, found.shape, found.classes) == ("own", "images", (1, 28, 28), 10)
    assert [len(part) for part in (found.train_labels, found.validation_labels, found.test_labels)] == [50, 10, 60]
    assert found.test_labels.tolist() == [number % 10 for number in range(60)]
    assert found.train_inputs.min() >= 0 and found.train_inputs.max() == 1


@pytest.mark.parametrize("part", ["train", "t10k"])
def test_one_part_alone_is_split_in_three(tmp_path, part):
    found = load_dataset("own", DataFile(path=save_mnist(tmp_path, parts=[part])))
    assert [len(part) for part in (found.train_labels, found.validation_labels, found.test_labels)] == [30, 10, 20]


def test_fourteen_is_the_mean_of_four_pixels(tmp_path):
    file = DataFile(path=save_mnist(tmp_path))
    whole, half = load_dataset("mnist", file), load_dataset("mnist-14", file)
    assert half.shape == (1, 14, 14)
    pooled = torch.nn.functional.avg_pool2d(whole.test_inputs.reshape(-1, 1, 28, 28), 2).flatten(1)
    torch.testing.assert_close(half.test_inputs, pooled)
    assert torch.equal(half.train_labels, whole.train_labels)


@pytest.mark.parametrize("name", ["fashion", "fashion-mnist"])
def test_fashion_is_found_in_the_folder_that_the_environment_names(tmp_path, monkeypatch, name):
    save_mnist(tmp_path / name)
    save_mnist(tmp_path / "place" / "fashion-mnist", count=90)
    monkeypatch.setenv("WEMBED_DATA", str(tmp_path))
    assert len(load_dataset("fashion").test_labels) == 60
    assert len(load_dataset("fashion-14-parity").test_labels) == 60


@pytest.mark.parametrize(("name", "folder"), [("fashion", "fashion-mnist"), ("mnist", "mnist")])
def test_they_are_found_where_debian_has_them(tmp_path, monkeypatch, name, folder):
    save_mnist(tmp_path / "place" / folder)
    monkeypatch.setenv("WEMBED_DATA", str(tmp_path / "empty"))
    assert len(load_dataset(name).test_labels) == 60


def test_a_missing_one_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("WEMBED_DATA", str(tmp_path / "mine"))
    with pytest.raises(NotFoundError) as refused:
        load_dataset("fashion-14")
    looked = [tmp_path / "mine" / "fashion", tmp_path / "mine" / "fashion-mnist"]
    looked += [tmp_path / "place" / "fashion-mnist", tmp_path / "place" / "fashion"]
    places = ", ".join(map(str, looked))
    assert refused.value.message == f"data set fashion is not on this machine, looked in {places}"
    assert refused.value.hint == (
        "install Debian's dataset-fashion-mnist, or --data fashion=PATH, or put it into $WEMBED_DATA/fashion"
    )


GOOD = idx(np.zeros((2, 3), np.uint8))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing, expected 00000802 (idx)"),
        (b"\x00\x00\x0d\x02" + GOOD[4:], "starts with 00000d02, expected 00000802 (idx)"),
        (b"\x00\x00\x08\x01" + GOOD[4:], "starts with 00000801, expected 00000802 (idx)"),
        (GOOD[:9], "ends within the header"),
        (GOOD[:-1], "says 6 values, 5 are there"),
        (GOOD + b"\x00", "says 6 values, more follow"),
        (GOOD[:4] + b"\xff" * 8, "says 18,446,744,065,119,617,025 bytes, at most 1,073,741,824 are read"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_broken_file_is_one_line(tmp_path, content, message, packed):
    path = tmp_path / ("x" + ".gz" * packed)
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(CheckpointRefusedError) as refused:
        read_idx(path, 2)
    assert refused.value.message == f"{path}: {message}"


PACKED = gzip.compress(GOOD)


@pytest.mark.parametrize(
    "content",
    [GOOD, PACKED[:-9], PACKED[:-8] + bytes(8), PACKED[:10] + b"\xff" * 20],
    ids=["not packed", "truncated", "wrong sum", "garbage"],
)
def test_a_broken_gzip_file_is_one_line(tmp_path, content):
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(CheckpointRefusedError, match=r"^.*/x\.gz: broken gzip file: .+"):
        read_idx(path, 2)


def test_a_small_file_that_unpacks_to_much_is_read_no_further_than_it_says(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(GOOD + bytes(50_000_000)))
    with pytest.raises(CheckpointRefusedError, match=r"says 6 values, more follow$"):
        read_idx(path, 2)


def test_a_folder_is_no_idx_file(tmp_path):
    with pytest.raises(NotFoundError, match=r": can't be read: Is a directory$"):
        read_idx(tmp_path, 2)


def test_images_without_labels_are_refused(tmp_path):
    (save_mnist(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(NotFoundError) as refused:
        load_dataset("mnist", DataFile(path=tmp_path))
    assert refused.value.message == f"{tmp_path}: t10k images without their labels"
    assert refused.value.hint == "expected t10k-labels-idx1-ubyte.gz"


def test_images_and_labels_of_different_number_are_refused(tmp_path):
    path = save_mnist(tmp_path) / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(idx(np.zeros(59, np.uint8))))
    with pytest.raises(CheckpointRefusedError) as refused:
        load_dataset("mnist", DataFile(path=tmp_path))
    expected = "images and labels do not fit: images (60, 28, 28), labels (59,)"
    assert refused.value.message == f"{tmp_path}: {expected}"


def test_mnist_has_images_of_28_pixels(tmp_path):
    with pytest.raises(UsageError) as refused:
        load_dataset("mnist", DataFile(path=save_mnist(tmp_path, size=12)))
    assert refused.value.message == f"{tmp_path}: inputs of 1 x 12 x 12, expected images of 1 x 28 x 28"
