"""Networks on disk, however large, in; their merge on disk out, with no more than a few tensors in memory."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wembed.checkpoint import TensorInfo
from wembed.checkpoint.dtypes import Array, encode, to_values
from wembed.errors import UsageError
from wembed.merging.methods import Combination, combined, finite
from wembed.merging.progress import Progress, silent
from wembed.merging.streamed.blocks import StoredBlocks
from wembed.merging.streamed.mergeable import check_mergeable
from wembed.merging.streamed.shards import Form, shards_of, write_index, written_tensors
from wembed.merging.streamed.source import Source
from wembed.merging.streamed.twins import first_names
from wembed.merging.streamed.weight_file import weight_file

_FORMAT = {"format": "pt"}  # without it transformers refuses a file


@dataclass(frozen=True)
class Written:
    """What was written.

    Args:
        path: a file, or the folder of `files`.
        files: the names of the weight files, in order.
        tensors: how many there are.
        merged: how many of them are floats, which were combined; the others are copied.
        bytes: of all tensors.
    """

    path: Path
    files: tuple[str, ...]
    tensors: int
    merged: int
    bytes: int


def write_weights(
    sources: Sequence[Source],
    base: Source | None,
    how: Combination,
    out: Path,
    form: Form | None = None,
    progress: Progress = silent,
) -> Written:
    """Merges networks into a folder that is there, or a file that is not, bit by bit: for use inside of `staged`.

    The result is like the base, else the first network: its names, the order of its tensors, their dtypes and shards,
    and its tensors of whole numbers.

    Args:
        sources: the networks, without the base; actions among them belong to one spec.
        base: what the task vectors start from.
        how: to combine them.
        out: an existing folder, or the path of a new file.
        form: how the result is stored.
        progress: takes how many bytes are written, of how many.

    Raises:
        CheckpointRefusedError: tensors or shapes differ, or a value is not finite.
        UsageError: so many networks cannot be combined in this way, or a value does not fit the dtype.
    """
    form = form or Form()
    how.check(len(sources), base is not None)
    like = (base or sources[0]).checkpoint
    check_mergeable([like, *(source.checkpoint for source in sources)], form.dtype)
    shards = shards_of(like, form) if out.is_dir() else {out.name: written_tensors(like, form.dtype)}
    places = {name: (file, info) for file, tensors in shards.items() for name, info in tensors.items()}
    folder = out if out.is_dir() else out.parent
    done, total = 0, sum(info.bytes for _, info in places.values())
    with ExitStack() as stack:
        metadata = _FORMAT | dict(form.metadata or {})
        files = {name: stack.enter_context(weight_file(folder / name, shards[name], metadata)) for name in shards}
        for name, parts in _pieces(sources, base, how):
            file, info = places[like.prefix + name]
            files[file].write(like.prefix + name, _encoded(parts, info))
            done += info.bytes
            progress(done, total)
    if len(shards) > 1:
        write_index(folder, shards)
    return Written(out, tuple(shards), len(places), sum(info.is_floating for info in like.tensors.values()), total)


def _pieces(sources: Sequence[Source], base: Source | None, how: Combination) -> Iterator[tuple[str, Iterator[Array]]]:
    """Every tensor of the result with its values, part by part."""
    networks = [*sources, base] if base else list(sources)
    like = networks[-1 if base else 0].checkpoint
    floating = [name for name, info in like.tensors.items() if info.is_floating]
    moved = next((source.order for source in networks if source.order), [])
    order = [*moved, *(name for name in floating if name not in set(moved))]
    masks = first_names([source.checkpoint for source in networks]) if how.method == "dare" else {}
    for elements in zip(*(source.tensors(order) for source in networks), strict=True):
        blocks = StoredBlocks(elements[: len(sources)], elements[-1] if base else None)
        name = elements[0].name
        yield name, finite(combined(how, blocks, masks.get(name, name)), name)
    for name, info in like.tensors.items():
        if not info.is_floating:
            yield name, iter([like.read_stored(name)])


def _encoded(parts: Iterator[Array], info: TensorInfo) -> Iterator[Array]:
    """Values as they are stored."""
    for values in parts:
        if not info.is_floating:
            yield values
            continue
        with np.errstate(over="ignore"):
            stored = encode(values, info.dtype)
        if not np.isfinite(to_values(info.dtype, stored)).all():
            largest = np.abs(values).max()
            found = f"tensor {info.name!r}: a merged value of {largest:.3g} does not fit {info.dtype}"
            raise UsageError(found, "choose a wider dtype, or a smaller scale")
        yield stored
