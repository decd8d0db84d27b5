"""Which symmetries a checkpoint gets: the given ones, its file's, its zoo's for that structure, else inferred ones."""

from collections.abc import Iterator
from pathlib import Path

from wembed.catalog import CatalogRow, Zoo
from wembed.checkpoint import Checkpoint
from wembed.symmetry import SymmetrySpec, find_spec, load_spec, structure_signature
from wembed.symmetry.find import METADATA_KEY


def spec_for(zoo: Zoo | None, checkpoint: Checkpoint, given: SymmetrySpec | None = None) -> SymmetrySpec:
    """Gives the spec of a checkpoint.

    Args:
        zoo: whose specs to know, if any.
        checkpoint: what the spec is for.
        given: the spec to take whatever else there is.

    Raises:
        CheckpointRefusedError: if the spec doesn't fit the checkpoint.
    """
    return find_spec(checkpoint, given) if given else next(_candidates(zoo, checkpoint))


def spec_of_row(zoo: Zoo | None, checkpoint: Checkpoint, row: CatalogRow | None) -> SymmetrySpec:
    """Gives the spec that a checkpoint was taken in with; the one that it would get now if that is no more."""
    fitting = (spec for spec in _candidates(zoo, checkpoint) if row and spec.hash == row.spec)
    return next(fitting, None) or spec_for(zoo, checkpoint)


def spec_path(zoo: Zoo, structure: str) -> Path:
    """Gives where a zoo keeps the spec of a structure."""
    return zoo.root / "specs" / f"{structure}.json"


def carries_spec(checkpoint: Checkpoint) -> bool:
    """Whether the file brings its own spec."""
    return METADATA_KEY in checkpoint.metadata


def _candidates(zoo: Zoo | None, checkpoint: Checkpoint) -> Iterator[SymmetrySpec]:
    if carries_spec(checkpoint):
        yield find_spec(checkpoint)
    kept = spec_path(zoo, structure_signature(checkpoint)) if zoo else None
    if kept and kept.is_file():
        yield find_spec(checkpoint, load_spec(kept))
    if not carries_spec(checkpoint):
        yield find_spec(checkpoint)
