"""A path in; a Checkpoint out, which knows every tensor and reads one when asked.

The parts (files) are joined under one set of names, and a prefix that a training wrapper put before all of the names
is taken off: one network has one set of names, however it was saved.
"""

import hashlib
import json
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.checkpoint.carriers import recognise_carrier
from wembed.checkpoint.dtypes import STORAGE, Array, to_values
from wembed.checkpoint.header import Header, TensorInfo, read_header
from wembed.checkpoint.layouts import Layout, find_layout
from wembed.checkpoint.part import Part
from wembed.checkpoint.pickles import read_pickle
from wembed.checkpoint.scales import Scaling, find_scalings, scale_names, unscaled
from wembed.errors import CheckpointRefusedError

WRAPPER_PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
DESCRIPTION_KEY = "wembed.model"  # in the metadata of files that say which network they hold


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The weights of one network on disk; tensors are read one at a time.

    Args:
        path: what was opened.
        files: the data files.
        tensors: what each tensor is, by name, in the file's order; not the scales of those that are quantised.
        metadata: text beside the weights: safetensors metadata, or the scalars of a pickle.
        config: the config.json of the folder, else {}.
        prefix: what was taken off the front of every name; `prefix + name` is the name in the file.
        notices: what was unwrapped, stripped or left out, as short phrases.
    """

    path: Path
    files: tuple[Path, ...]
    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]
    config: dict[str, object]
    prefix: str
    notices: tuple[str, ...]
    _owners: Mapping[str, Part] = field(repr=False)
    _scalings: Mapping[str, Scaling] = field(default_factory=dict, repr=False)

    @property
    def parameters(self) -> int:
        """Number of elements in all floating-point tensors."""
        return sum(info.size for info in self.tensors.values() if info.is_floating)

    def read(self, name: str) -> Array:
        """Gives the values of a tensor.

        The array is the caller's: writing to it never changes the file.

        Returns:
            Shape as in `tensors[name]`; float32 for floats of 8, 16 and 32 bits, float64 for F64, else as stored.

        Raises:
            CheckpointRefusedError: if a floating-point tensor holds a NaN or an infinity.
        """
        info = self.tensors[name]
        if name in self._scalings:
            values = self._values(name, [slice(None)] * len(info.shape))
        else:
            values = to_values(info.dtype, self.read_stored(name))
        if info.is_floating:
            _check_finite(values, name, self.path)
        return values

    def read_slice(self, name: str, index: Sequence[slice | NDArray[np.intp]]) -> Array:
        """Gives the values of a part of a tensor; of a mapped file no more than that is read.

        The array may be a view of the file and is not to be written to.

        Args:
            name: the tensor's name.
            index: for each axis a slice, or the numbers of its indices.

        Returns:
            Of the dtype that `read` gives.

        Raises:
            CheckpointRefusedError: if a floating-point tensor holds a NaN or an infinity in that part.
        """
        values = self._values(name, index)
        if self.tensors[name].is_floating and not np.isfinite(values).all():
            self.read(name)  # says where in the whole tensor
        return values

    def _values(self, name: str, index: Sequence[slice | NDArray[np.intp]]) -> Array:
        stored = self._raw(name)
        stored = stored[tuple(part if isinstance(part, slice) else slice(None) for part in index)]
        for axis, part in enumerate(index):
            if not isinstance(part, slice):
                stored = stored.take(part, axis)
        values = to_values(self.tensors[name].dtype, stored if stored.flags.aligned else stored.copy())
        return self._scaled(name, values, index) if name in self._scalings else values

    def read_stored(self, name: str) -> Array:
        """Gives a tensor's elements as they lie in the file, whether finite or not.

        Returns:
            Shape as in `tensors[name]`; BF16 as uint16, 8-bit floats as uint8, else the native dtype.

        Raises:
            CheckpointRefusedError: if the file has become shorter since it was opened, or if the elements mean nothing
                without scales, so that a copy of them would be another network.
        """
        if name in self._scalings:
            found = f"tensor {name!r} is {self.tensors[name].dtype} with scales, which is read and not written"
            raise CheckpointRefusedError(f"{self.path}: {found}", hint="save its weights as floats first")
        stored = self._raw(name)
        return stored if stored.flags.aligned and stored.flags.writeable else stored.copy()

    def _raw(self, name: str) -> Array:
        return self._owners[name].read(self.prefix + name)

    def _scaled(self, name: str, values: Array, index: Sequence[slice | NDArray[np.intp]]) -> Array:
        scaling, owner = self._scalings[name], self._owners[self._scalings[name].name]
        dtype = owner.tensors[self.prefix + scaling.name].dtype
        along = [np.arange(size)[part] for size, part in zip(self.tensors[name].shape, index, strict=True)]
        return scaling.scaled(values, to_values(dtype, self._raw(scaling.name).copy()), tuple(along))

    def content_hash(self) -> str:
        """Gives the sha256 of the weights: names, dtypes, shapes and bytes.

        It does not depend on the order of the tensors, metadata, sharding, file format or wrapper prefix.
        """
        digest = hashlib.sha256()
        for name in sorted(self._owners):  # the scales of quantised tensors too
            info = self._owners[name].tensors[self.prefix + name]
            digest.update(json.dumps([name, info.dtype, info.shape]).encode())
            digest.update(np.ascontiguousarray(self._raw(name)).reshape(-1).view(np.uint8).data)
        return digest.hexdigest()

    def file_hash(self) -> str:
        """Gives the sha256 of the file's bytes; for several files, of their names and sha256 in sorted lines."""
        folder = self.path if self.path.is_dir() else self.path.parent
        return combined_hash({file.relative_to(folder).as_posix(): _sha256(file) for file in self.files})


def combined_hash(digests: Mapping[str, str]) -> str:
    """Gives the hash of a checkpoint's files from the sha256 of each, by its path in the checkpoint's folder."""
    if len(digests) == 1:
        return next(iter(digests.values()))
    lines = [f"{name} {digest}\n" for name, digest in sorted(digests.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def open_checkpoint(path: Path) -> Checkpoint:
    """Opens a checkpoint: a weight file, an index of shards, or a folder that is one checkpoint.

    Of a safetensors file only the header is read. Nothing that a file holds is ever run.

    Raises:
        NotFoundError: if there is nothing at the path.
        CheckpointRefusedError: if it is corrupt, truncated, unsafe, of an unknown kind, or without a float in it.
    """
    try:
        layout = find_layout(path)
        parts = {file: _open_part(file) for file in layout.files}
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise CheckpointRefusedError(f"{path}: cannot be read: {reason}") from error
    owners = _join(parts, layout, path)
    metadata = {key: text for part in reversed(parts.values()) for key, text in part.metadata.items()}
    prefix = "" if DESCRIPTION_KEY in metadata else _wrapper_prefix(list(owners))  # a described network has its own
    tensors = {name.removeprefix(prefix): _renamed(part.tensors[name], prefix) for name, part in owners.items()}
    scalings = find_scalings(tensors)
    left_out = scale_names(scalings, tensors)
    tensors = {
        name: replace(info, is_scaled=name in scalings) for name, info in tensors.items() if name not in left_out
    }
    if not any(info.is_floating and info.size for info in tensors.values()):
        raise CheckpointRefusedError(f"{path}: holds no floating-point tensors, found {len(tensors)} of other kinds")
    notices = [notice for part in parts.values() for notice in part.notices]
    if prefix:
        notices.append(f"prefix {prefix!r} stripped from {len(owners)} names")
    if unknown := unscaled(tensors, scalings):
        notices.append(
            f"scales of {len(unknown)} quantised tensors not known, first {unknown[0]!r}: not read as weights"
        )
    if scalings:
        is_one = len(scalings) == 1
        notices.append(
            "1 quantised tensor read times its scales"
            if is_one
            else f"{len(scalings)} quantised tensors read times their scales"
        )
    return Checkpoint(
        path=path,
        files=layout.files,
        tensors=tensors,
        metadata=metadata,
        config=layout.config,
        prefix=prefix,
        notices=tuple(dict.fromkeys(notices)),
        _owners={name.removeprefix(prefix): part for name, part in owners.items()},
        _scalings=scalings,
    )


def _open_part(file: Path) -> Part:
    carrier = recognise_carrier(file)
    if carrier != "safetensors":
        return read_pickle(file, zipped=carrier == "zipped pickle")
    header = read_header(file)
    return Part(header.tensors, header.metadata, lambda name: _map_tensor(file, header, name))


def _map_tensor(file: Path, header: Header, name: str) -> Array:
    """The map is private, so that the array can be written to (torch insists) and the file stays as it is."""
    info = header.tensors[name]
    storage = STORAGE[info.dtype]
    if not info.size:
        return np.empty(info.shape, storage)
    begin = header.offsets[name]
    page = begin % mmap.ALLOCATIONGRANULARITY
    try:
        with file.open("rb") as stream:
            length = info.size * storage.itemsize + page
            mapped = mmap.mmap(stream.fileno(), length, access=mmap.ACCESS_COPY, offset=begin - page)
    except (ValueError, OSError) as error:
        raise CheckpointRefusedError(f"{file}: tensor {name!r} cannot be read, the file has changed") from error
    return np.frombuffer(mapped, storage, info.size, page).reshape(info.shape)


def _join(parts: Mapping[Path, Part], layout: Layout, path: Path) -> dict[str, Part]:
    """Gives the part that holds each tensor; an index and its shards must agree."""
    found: dict[str, Path] = {}
    for file, part in parts.items():
        for name in part.tensors:
            if not name.isprintable():  # it would reach terminals and file formats
                raise CheckpointRefusedError(f"{file}: tensor name {name!r} is not printable text")
            if name in found:
                both = f"{found[name].name} and {file.name}"
                raise CheckpointRefusedError(f"{path}: tensor {name!r} stands in two shards, {both}")
            found[name] = file
    for name, file in layout.owners.items():
        if found.get(name) != file:
            raise CheckpointRefusedError(f"{path}: tensor {name!r} is missing from its shard {file.name}")
    return {name: parts[file] for name, file in found.items()}


def _wrapper_prefix(names: list[str]) -> str:
    """What training wrappers put before all of the names; no name is stripped to nothing."""
    prefix = ""
    while names:
        added = [p for p in WRAPPER_PREFIXES if all(n.startswith(prefix + p) and n != prefix + p for n in names)]
        if not added:
            break
        prefix += added[0]
    return prefix


def _renamed(info: TensorInfo, prefix: str) -> TensorInfo:
    return TensorInfo(info.name.removeprefix(prefix), info.dtype, info.shape)


def _check_finite(values: Array, name: str, path: Path) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        first = [int(index) for index in np.argwhere(~finite)[0]]
        found = f"{int((~finite).sum())} of {values.size} values are NaN or infinite, the first at {first}"
        raise CheckpointRefusedError(f"{path}: tensor {name!r}: {found}")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
