"""Checkpoints in; for each tensor whether it can be merged, and along which groups of neurons it is aligned, out.

Headers alone are looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from wembed.checkpoint import Checkpoint, TensorInfo
from wembed.checkpoint.dtypes import STORAGE
from wembed.merging.recipe.configs import VOCABULARY_FIELD
from wembed.merging.recipe.document import Recipe, dtype_code
from wembed.merging.streamed import WRITABLE
from wembed.symmetry import SymmetrySpec
from wembed.symmetry.axes import atoms_of

Status = Literal["merged", "copied", "left out", "missing", "shape", "vocabulary", "dtype"]

FINE = ("merged", "copied", "left out")

_PAIR = 2


@dataclass(frozen=True)
class TensorPlan:
    """What becomes of one tensor.

    Args:
        tensor: its name.
        status: `merged`; `copied` from the first, of whole numbers; `left out`, of whole numbers that the first has
            not; else why it cannot be merged.
        shape: in the first network that has it.
        dtype: of what is written.
        groups: the groups of neurons along its axes that are brought into one order.
        found: what differs, for people; "" where nothing does.
    """

    tensor: str
    status: Status
    shape: tuple[int, ...]
    dtype: str
    groups: tuple[str, ...] = ()
    found: str = ""

    @property
    def size(self) -> int:
        """Number of elements."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def bytes(self) -> int:
        """That it takes in what is written."""
        return self.size * STORAGE[self.dtype].itemsize if self.status in ("merged", "copied") else 0


def compared_tensors(recipe: Recipe, checkpoints: Sequence[Checkpoint], spec: SymmetrySpec) -> tuple[TensorPlan, ...]:
    """What becomes of each tensor that any of some checkpoints has.

    Args:
        recipe: says whether neurons are aligned, and the dtype of what is written.
        checkpoints: the base or else the first in front.
        spec: the symmetries of the first.
    """
    names = dict.fromkeys(name for checkpoint in checkpoints for name in checkpoint.tensors)
    tensors = tuple(_tensor(name, checkpoints, spec, recipe) for name in names)
    has_prefixes = len({checkpoint.prefix for checkpoint in checkpoints}) > 1
    return _by_their_names_in_files(checkpoints, tensors) if has_prefixes else tensors


def _by_their_names_in_files(
    checkpoints: Sequence[Checkpoint], tensors: tuple[TensorPlan, ...]
) -> tuple[TensorPlan, ...]:
    """What is missing, where a prefix was taken off the names of some files: names as they are, if these say less.

    A tied output embedding that one file holds and another does not makes such a difference of all names.
    """
    own = [{checkpoint.prefix + name for name in checkpoint.tensors} for checkpoint in checkpoints]
    apart = {name for names in own for name in names if not all(name in other for other in own)}
    if not 0 < len(apart) < sum(tensor.status == "missing" for tensor in tensors):
        return tensors
    infos = {c.prefix + name: info for c in checkpoints for name, info in c.tensors.items()}
    return tuple(
        TensorPlan(name, "missing", infos[name].shape, infos[name].dtype, (), _missing(name, own, checkpoints))
        for name in sorted(apart)
    )


def _missing(name: str, own: Sequence[set[str]], checkpoints: Sequence[Checkpoint]) -> str:
    lacking = [checkpoint.path for checkpoint, names in zip(checkpoints, own, strict=True) if name not in names]
    return f"is not in {', '.join(map(str, lacking))}"


def _tensor(name: str, checkpoints: Sequence[Checkpoint], spec: SymmetrySpec, recipe: Recipe) -> TensorPlan:
    infos = [checkpoint.tensors.get(name) for checkpoint in checkpoints]
    one = next(info for info in infos if info)
    dtype = dtype_code(recipe.dtype) if recipe.dtype and one.is_floating else one.dtype

    def told(status: Status, found: str = "") -> TensorPlan:
        is_aligned = status == "merged" and recipe.alignment != "none"
        groups = tuple(_groups(name, spec)) if is_aligned else ()
        return TensorPlan(name, status, one.shape, dtype, groups, found)

    if not any(info.is_floating for info in infos if info):
        return told("copied" if infos[0] else "left out")
    missing = [checkpoint.path for checkpoint, info in zip(checkpoints, infos, strict=True) if info is None]
    if missing:
        return told("missing", f"is not in {', '.join(map(str, missing))}")
    present = [info for info in infos if info]
    shapes = list(dict.fromkeys(info.shape for info in present))
    if len(shapes) > 1:
        return told(*_shape_mismatch(name, shapes, checkpoints, spec))
    unwritable = next((info for info in present if info.dtype not in WRITABLE or info.is_scaled), None)
    if unwritable:
        return told("dtype", _dtype_found(unwritable))
    return told("merged")


def _dtype_found(info: TensorInfo) -> str:
    return f"is {info.dtype}{' with scales' if info.is_scaled else ''}, expected one of {', '.join(WRITABLE)}"


def _groups(name: str, spec: SymmetrySpec) -> Iterator[str]:
    """The free atoms along a tensor's axes."""
    atoms = dict.fromkeys(atom for axis in spec.tensors.get(name, ()) for atom in atoms_of(axis))
    return (atom for atom in atoms if not spec.atoms[atom].frozen)


def _shape_mismatch(
    name: str, shapes: Sequence[tuple[int, ...]], checkpoints: Sequence[Checkpoint], spec: SymmetrySpec
) -> "tuple[Status, str]":
    """Why shapes differ: another vocabulary, or another width along some axis."""
    found = f"is {' and '.join(str(list(shape)) for shape in shapes)}{_where(name, shapes[0], checkpoints)}"
    if len({len(shape) for shape in shapes}) > 1:
        return "shape", found
    lengths = list(zip(*shapes, strict=True))
    axes = [axis for axis, each in enumerate(lengths) if len(set(each)) > 1]
    if len(axes) == 1 and _is_vocabulary(name, axes[0], lengths[axes[0]], checkpoints, spec):
        return "vocabulary", f"has {' and '.join(map(str, lengths[axes[0]]))} tokens of vocabulary"
    where = ", ".join(_axis_name(name, axis, spec) for axis in axes)
    return "shape", f"{found}, which differ along {where}"


def _is_vocabulary(
    name: str, axis: int, lengths: Sequence[int], checkpoints: Sequence[Checkpoint], spec: SymmetrySpec
) -> bool:
    """Whether an axis counts tokens: by the spec, else by what the configs say."""
    axes = spec.tensors.get(name, ())
    if any(spec.atoms[atom].kind == "vocabulary" for atom in (atoms_of(axes[axis]) if axes else ())):
        return True
    told = {checkpoint.config.get(VOCABULARY_FIELD) for checkpoint in checkpoints}
    return set(lengths) <= told


def _axis_name(name: str, axis: int, spec: SymmetrySpec) -> str:
    axes = spec.tensors.get(name, ())
    kinds = dict.fromkeys(spec.atoms[atom].kind for atom in atoms_of(axes[axis])) if axes else ()
    return f"axis {axis} ({' x '.join(kinds)})" if kinds else f"axis {axis}"


def _where(name: str, shape: tuple[int, ...], checkpoints: Sequence[Checkpoint]) -> str:
    """Which of several files has another shape than the first; of two it goes without saying."""
    others = [checkpoint.path for checkpoint in checkpoints if checkpoint.tensors[name].shape != shape]
    return f" in {', '.join(map(str, others))}" if len(checkpoints) > _PAIR else ""
