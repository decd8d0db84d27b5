"""One checkpoint file in; all that a catalog row says about it, computed from the file, out."""

import math
from dataclasses import dataclass
from pathlib import Path

from wembed.catalog import Zoo, parse_value
from wembed.checkpoint import Checkpoint, open_checkpoint
from wembed.errors import CheckpointRefusedError, WembedError
from wembed.symmetry import SymmetrySpec, structure_signature
from wembed.symmetry.canonical_form.views import AffineView
from wembed.zoo.specs import spec_for

# Keys of the text beside the weights that fill a column, the later ones where both are there.
_METADATA_COLUMNS = {
    "license": "licence",
    "licence": "licence",
    "source": "source",
    "parent": "parent",
    "dataset": "dataset",
    "accuracy": "accuracy",
    "architecture": "architecture",
    "task": "task",
    "run": "run",
    "step": "step",
    "seed": "seed",
}
_PERCENT = "best_prec1"  # as the PyTorch ImageNet example, and what is derived from it, stores the test accuracy


@dataclass(frozen=True)
class ReadFile:
    """A checkpoint that has been read through.

    Args:
        checkpoint: the opened checkpoint.
        spec: its symmetries.
        values: of the catalog's columns, without id and path.
        given: whether the spec is the given one.
    """

    checkpoint: Checkpoint
    spec: SymmetrySpec
    values: dict[str, object]
    given: bool


def read_file(zoo: Zoo, path: Path, given: SymmetrySpec | None) -> ReadFile:
    """Reads a checkpoint once through.

    Args:
        zoo: whose specs to know.
        path: of the checkpoint.
        given: a spec to take if it fits.

    Raises:
        CheckpointRefusedError: if it can't be taken in, for instance because a value isn't finite.
    """
    checkpoint = open_checkpoint(path)
    for name, info in checkpoint.tensors.items():
        if info.is_floating:
            checkpoint.read(name)  # refuses what isn't finite
    if not any(info.is_floating and info.size and len(info.shape) > 1 for info in checkpoint.tensors.values()):
        raise CheckpointRefusedError(f"{path}: nothing to embed, it holds no weight of two axes or more")
    fits = _fitting(zoo, checkpoint, given)
    spec = fits or spec_for(zoo, checkpoint)
    for layer in spec.layers:
        if layer.kind == "batch_norm":
            AffineView.of(checkpoint, spec, layer)  # refuses a variance that is none
    values: dict[str, object] = {
        "sha256": checkpoint.file_hash(),
        "content": checkpoint.content_hash(),
        "structure": structure_signature(checkpoint),
        "spec": spec.hash,
        "tier": spec.tier,
        "params": checkpoint.parameters,
        "bytes": sum(file.stat().st_size for file in checkpoint.files),
    }
    return ReadFile(checkpoint, spec, _described(checkpoint, spec) | values, fits is not None)


def _fitting(zoo: Zoo, checkpoint: Checkpoint, given: SymmetrySpec | None) -> SymmetrySpec | None:
    if given is None:
        return None
    try:
        return spec_for(zoo, checkpoint, given)
    except CheckpointRefusedError:
        return None  # another structure, which keeps its own spec


def _described(checkpoint: Checkpoint, spec: SymmetrySpec) -> dict[str, object]:
    """What the file itself says; what doesn't fit its column is left out, since nobody here can mend it."""
    model_type = checkpoint.config.get("model_type")
    architecture = model_type if isinstance(model_type, str) else spec.architecture
    values: dict[str, object] = {"architecture": architecture} if architecture else {}
    texts = {column: checkpoint.metadata.get(key) for key, column in _METADATA_COLUMNS.items()}
    texts |= {"licence": checkpoint.metadata.get("licence") or checkpoint.metadata.get("license")}
    for column, text in texts.items():
        try:
            values |= {column: parse_value(column, text)} if text else {}
        except ValueError:
            continue
    return _accuracy_from_percent(checkpoint.metadata) | values


def _accuracy_from_percent(metadata: dict[str, str]) -> dict[str, object]:
    try:
        percent = float(metadata.get(_PERCENT, "nan"))
    except ValueError:
        return {}
    return {"accuracy": percent / 100} if math.isfinite(percent) and 0 <= percent <= 100 else {}


def as_failure(path: Path | str, error: OSError) -> WembedError:
    """Gives the refusal of a file that the system doesn't let us read."""
    return CheckpointRefusedError(f"{path}: cannot be read: {(error.strerror or type(error).__name__).lower()}")
