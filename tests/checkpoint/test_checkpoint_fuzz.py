"""Laws: whatever the bytes, opening and reading give tensors or a WembedError of one line."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wembed.checkpoint import find_checkpoints, open_checkpoint
from wembed.errors import CheckpointRefusedError, WembedError

RELAXED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BYTE = st.integers(0, 255)
JUNK = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers(), max_size=3)
)
SMALL = st.integers(0, 8)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "U8", "BF16", "BOOL", "C64"]) | JUNK,
        "shape": st.lists(SMALL, max_size=2) | JUNK,
        "data_offsets": st.tuples(SMALL, SMALL) | JUNK,
    }
)
EDITS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), BYTE), min_size=1, max_size=8)


def read_or_refuse(path):
    try:
        checkpoint = open_checkpoint(path)
        checkpoint.content_hash()
        for name, info in checkpoint.tensors.items():
            assert checkpoint.read(name).shape == info.shape
    except WembedError as error:
        assert "\n" not in error.message


def mutate(data, edits, length):
    mutated = bytearray(data)
    for place, byte in edits:
        mutated[int(place * len(mutated))] = byte
    return bytes(mutated[: int(length * len(mutated))])


@RELAXED
@given(data=st.binary(max_size=200), suffix=st.sampled_from([".safetensors", ".pt", ".dat"]))
def test_random_bytes_never_raise_anything_else(tmp_path, data, suffix):
    path = tmp_path / f"random{suffix}"
    path.write_bytes(data)
    read_or_refuse(path)


@RELAXED
@given(
    header=st.dictionaries(st.text(max_size=3) | st.just("__metadata__"), ENTRY | JUNK, max_size=3), data=st.binary()
)
def test_random_headers_never_raise_anything_else(craft, header, data):
    read_or_refuse(craft(header, data))


@RELAXED
@given(edits=EDITS, length=st.sampled_from([1, 1, 1, 0.9, 0.5]))
def test_mutated_safetensors_never_raise_anything_else(tmp_path, valid, edits, length):
    path = tmp_path / "mutated.safetensors"
    path.write_bytes(mutate(valid.read_bytes(), edits, length))
    read_or_refuse(path)


@RELAXED
@given(edits=EDITS, length=st.sampled_from([1, 1, 1, 0.9, 0.5]), zipped=st.booleans())
def test_mutated_pickles_never_raise_anything_else(tmp_path, edits, length, zipped):
    path = tmp_path / "mutated.pt"
    state = {"state_dict": {"w": torch.ones(4, 3), "b": torch.ones(4)}, "epoch": 3}
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(mutate(path.read_bytes(), edits, length))
    read_or_refuse(path)


@pytest.mark.skipif(not os.environ.get("WEMBED_TEST_DATA"), reason="WEMBED_TEST_DATA names no folder of checkpoints")
def test_every_real_file_is_read_or_refused():
    paths = find_checkpoints(Path(os.environ["WEMBED_TEST_DATA"]))
    read = 0
    for path in paths:
        try:
            checkpoint = open_checkpoint(path)
        except CheckpointRefusedError as error:
            assert error.message.endswith("files are not read"), error.message
            continue
        read += 1
        assert checkpoint.parameters > 0
        assert all(np.isfinite(checkpoint.read(name)).all() for name in checkpoint.tensors)
    assert read > len(paths) / 2
