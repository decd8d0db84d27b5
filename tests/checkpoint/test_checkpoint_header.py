import pytest

from wembed.checkpoint import TensorInfo, open_checkpoint
from wembed.errors import CheckpointRefusedError


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def message(path):
    with pytest.raises(CheckpointRefusedError) as caught:
        open_checkpoint(path)
    text = caught.value.message
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert not text.endswith(".")
    return text.removeprefix(f"{path}: ")


def test_tensor_info_knows_its_size_and_kind():
    assert TensorInfo("w", "BF16", (2, 3)).size == 6
    assert TensorInfo("w", "BF16", ()).size == 1
    assert TensorInfo("w", "F8_E4M3", (0, 3)).is_floating
    assert not TensorInfo("w", "I64", (2,)).is_floating


def test_empty_file_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    path.touch()
    assert message(path) == "empty file, found 0 bytes"


def test_file_of_three_bytes_is_truncated(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"abc")
    assert message(path) == "truncated: found 3 bytes, a safetensors file starts with 8"


def test_header_of_2_to_the_62_bytes_is_refused_without_allocating(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    assert message(path) == f"corrupt: header of {2**62} bytes, expected at most 100000000"


def test_header_beyond_the_end_of_the_file_is_truncated(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes((1000).to_bytes(8, "little") + b"{}")
    assert message(path) == "truncated: header of 1000 bytes expected, found 2"


def test_missing_data_is_truncated_with_a_hint(valid):
    valid.write_bytes(valid.read_bytes()[:-5])
    assert message(valid) == "truncated: 136 bytes of tensors expected, found 131"
    with pytest.raises(CheckpointRefusedError) as caught:
        open_checkpoint(valid)
    assert caught.value.hint == "fetch the file again"


def test_data_that_no_tensor_claims_is_corrupt(valid):
    valid.write_bytes(valid.read_bytes() + b"12345")
    assert message(valid) == "corrupt: 136 bytes of tensors expected, found 141"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"not json", "corrupt: the header is not JSON"),
        (b'{"a": \xff}', "corrupt: the header is not JSON"),
        (b"[" * 100_000, "corrupt: the header is not JSON"),
        (b"[1]", "corrupt: the header is a JSON list, expected an object"),
        (b'{"w": 1, "w": 2}', "corrupt: 'w' stands twice in the header"),
        ({"__metadata__": {"a": 1}}, "corrupt: __metadata__ is not a map from text to text"),
        ({"__metadata__": []}, "corrupt: __metadata__ is not a map from text to text"),
        ({"w": [1]}, "corrupt: tensor 'w': expected dtype, shape and data_offsets"),
        ({"w": {"dtype": "F32"}}, "corrupt: tensor 'w': expected dtype, shape and data_offsets"),
        ({"w": entry(shape=(-2,))}, "corrupt: tensor 'w': bad shape, expected at most 32 lengths of 0 or more"),
        ({"w": entry(shape=(2.0,))}, "corrupt: tensor 'w': bad shape, expected at most 32 lengths of 0 or more"),
        ({"w": entry(shape=(True, 2))}, "corrupt: tensor 'w': bad shape, expected at most 32 lengths of 0 or more"),
        ({"w": entry(shape=[1] * 33)}, "corrupt: tensor 'w': bad shape, expected at most 32 lengths of 0 or more"),
        ({"w": entry(shape=(0, 2**62))}, f"corrupt: tensor 'w': shape [0, {2**62}] is larger than any array"),
        ({"w": entry(offsets=(0, 8, 9))}, "corrupt: tensor 'w': bad data_offsets, expected two counts of bytes"),
        ({"w": entry(offsets=(-8, 0))}, "corrupt: tensor 'w': bad data_offsets, expected two counts of bytes"),
        ({"w": entry(offsets=(0, 4))}, "corrupt: tensor 'w': data_offsets span 4 bytes, F32 [2] needs 8"),
        ({"w": entry(offsets=(8, 0))}, "corrupt: tensor 'w': data_offsets span -8 bytes, F32 [2] needs 8"),
        (
            {"v": entry(), "w": entry(offsets=(4, 12))},
            "corrupt: tensor 'w' overlaps the tensor before it: starts at byte 4, expected 8",
        ),
        (
            {"v": entry(), "w": entry(offsets=(12, 20))},
            "corrupt: tensor 'w' leaves a gap before it: starts at byte 12, expected 8",
        ),
    ],
)
def test_broken_header_is_refused_by_name(craft, header, expected):
    assert message(craft(header, b"\0" * 20)) == expected


def test_unknown_dtype_lists_the_known_ones(craft):
    text = message(craft({"w": entry(dtype="F4")}, b"\0" * 8))
    assert text.startswith("tensor 'w': unknown dtype 'F4', known are BOOL, U8")


def test_unhashable_dtype_is_refused(craft):
    assert "unknown dtype ['F32']" in message(craft({"w": entry(dtype=["F32"])}, b"\0" * 8))


def test_name_that_would_reach_the_terminal_as_control_characters_is_refused(craft):
    assert message(craft({"w\x1b[2J": entry()}, b"\0" * 8)) == "tensor name 'w\\x1b[2J' is not printable text"


def test_file_without_floats_is_refused(craft):
    header = {"n": entry(dtype="I64", shape=(1,)), "empty": entry(shape=(0,), offsets=(8, 8))}
    assert message(craft(header, b"\0" * 8)) == "holds no floating-point tensors, found 2 of other kinds"
