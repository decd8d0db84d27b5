"""A file's first bytes, structure and suffix in; the format to read it as out, or a refusal that names the format.

Only safetensors and torch's weight files are read. Whatever else carries weights is recognised, so that the refusal
says what the file is and what to do about it.
"""

import zipfile
from pathlib import Path
from typing import Literal

from wembed.errors import CheckpointRefusedError

PICKLE_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".th")
WEIGHT_SUFFIXES = (".safetensors", *PICKLE_SUFFIXES)
UNREAD_SUFFIXES = {
    ".onnx": "onnx",
    ".npz": "npz",
    ".npy": "npy",
    ".jit": "torchscript",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".gguf": "gguf",
    ".pkl": "pickle",
}
_MAGICS = {b"\x89HDF\r\n\x1a\n": "hdf5", b"GGUF": "gguf", b"\x93NUMPY": "npy"}
_LFS_MAGIC = b"version https://git-lfs"
_ZIP_MAGIC = b"PK\x03\x04"
_PICKLE_MAGIC = b"\x80"
_ONNX_TAGS = (0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42)  # the fields of ModelProto that may follow ir_version
_HEAD_BYTES = 32

Carrier = Literal["safetensors", "pickle", "zipped pickle"]


def recognise_carrier(path: Path) -> Carrier:
    """Gives the format that a file is to be read as.

    Raises:
        CheckpointRefusedError: if the format is not one that is read.
    """
    suffix = path.suffix.lower()
    if suffix in UNREAD_SUFFIXES:
        raise _refused(path, UNREAD_SUFFIXES[suffix])
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(_LFS_MAGIC):
        raise CheckpointRefusedError(f"{path}: a git-lfs pointer, expected the weights", hint="run `git lfs pull`")
    if suffix == ".safetensors" or head[8:9] == b"{":
        return "safetensors"
    if not head:
        raise CheckpointRefusedError(f"{path}: empty file, found 0 bytes")
    return _recognise_pickle(path, head)


def _recognise_pickle(path: Path, head: bytes) -> Carrier:
    for magic, kind in _MAGICS.items():
        if head.startswith(magic):
            raise _refused(path, kind)
    if head.startswith(_ZIP_MAGIC):
        _check_archive(path)
        return "zipped pickle"
    if len(head) > 2 and head[0] == 0x08 and 0 < head[1] < 32 and head[2] in _ONNX_TAGS:
        raise _refused(path, "onnx")
    if path.suffix.lower() in PICKLE_SUFFIXES or head.startswith(_PICKLE_MAGIC):
        return "pickle"
    known = ", ".join(WEIGHT_SUFFIXES)
    raise CheckpointRefusedError(f"{path}: not a known kind of checkpoint", hint=f"files that are read: {known}")


def _check_archive(path: Path) -> None:
    """An archive that torch.save wrote has a data.pkl and compresses nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
        raise CheckpointRefusedError(f"{path}: truncated or corrupt zip archive", "fetch the file again") from error
    names = [member.filename for member in members]
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
        raise _refused(path, "torchscript")
    if names and all(name.endswith(".npy") for name in names):
        raise _refused(path, "npz")
    if not any(name.endswith("/data.pkl") for name in names):
        raise CheckpointRefusedError(f"{path}: a zip archive without data.pkl", hint="extract the weight file from it")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise CheckpointRefusedError(f"{path}: a compressed zip archive", hint="save it again with torch.save")


def _refused(path: Path, kind: str) -> CheckpointRefusedError:
    hint = "convert the weights to safetensors"
    if kind == "pickle":
        hint = "unpickling runs code; " + hint + " where you trust the file"
    return CheckpointRefusedError(f"{path}: {kind} files are not read", hint)
