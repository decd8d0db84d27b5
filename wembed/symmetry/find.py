"""Which spec a checkpoint gets: a given one, else its metadata's, its family's, its network's, or a guess."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

from wembed.checkpoint import Checkpoint
from wembed.errors import CheckpointRefusedError, NotFoundError, UsageError, WembedError
from wembed.symmetry.by_config import config_spec
from wembed.symmetry.families import family_spec, structural_fields
from wembed.symmetry.fit import check_fit
from wembed.symmetry.inference.infer import infer_spec
from wembed.symmetry.lora import lora_spec
from wembed.symmetry.serialise import spec_from_text, spec_to_json
from wembed.symmetry.spec import SymmetrySpec

METADATA_KEY = "wembed.spec"  # in the safetensors metadata of what wembed writes
_STRUCTURAL_FIELDS = (  # of config.json: what changes the function without changing a shape
    "model_type", "architectures", "hidden_act", "num_attention_heads", "num_key_value_heads", "tie_word_embeddings",
)  # fmt: skip


def find_spec(checkpoint: Checkpoint, given: SymmetrySpec | None = None) -> SymmetrySpec:
    """The spec of a checkpoint, checked against its shapes.

    Raises:
        CheckpointRefusedError: where a given or stored spec does not fit, naming the tensor.
    """
    if given is None and METADATA_KEY not in checkpoint.metadata:
        return lora_spec(checkpoint) or _family_spec(checkpoint) or _traced_or_inferred(checkpoint)
    spec = given or _spec_from_metadata(checkpoint)
    check_fit(spec, checkpoint)
    return spec


def _family_spec(checkpoint: Checkpoint) -> SymmetrySpec | None:
    try:
        return family_spec(_shapes(checkpoint), checkpoint.config)
    except CheckpointRefusedError as error:
        hint = "a spec of your own goes before its family's, give it with --spec"
        raise CheckpointRefusedError(f"{checkpoint.path}: {error.message}", hint) from error


def _traced_or_inferred(checkpoint: Checkpoint) -> SymmetrySpec:
    """The spec of the network that config.json names, else a guess that says why."""
    inferred = infer_spec(_shapes(checkpoint))
    try:
        return config_spec(checkpoint) or inferred
    except CheckpointRefusedError:
        raise
    except WembedError as error:
        return replace(inferred, notes=(*inferred.notes, f"not traced: {error.message}"))


def structure_signature(checkpoint: Checkpoint) -> str:
    """Sixteen hex digits that checkpoints of one structure share: names, shapes, the config's structural fields."""
    shapes = sorted((name, info.shape) for name, info in checkpoint.tensors.items() if info.is_floating)
    fields = {*_STRUCTURAL_FIELDS, *structural_fields(checkpoint.config)}
    config = {key: checkpoint.config[key] for key in fields if key in checkpoint.config}
    return hashlib.sha256(json.dumps([shapes, config], sort_keys=True).encode()).hexdigest()[:16]


def load_spec(path: Path) -> SymmetrySpec:
    """A spec file, as written by `save_spec`; its tier becomes `given`, but what was inferred stays so.

    Raises:
        NotFoundError: no such file.
        UsageError: it is no spec.
    """
    hint = "`wembed inspect CKPT --save SPEC.json` writes one"
    try:
        return spec_from_text(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"no spec file at {path}", hint) from error
    except OSError as error:
        raise UsageError(f"{path} is no spec file: {(error.strerror or '').lower()}", hint) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no spec file: it is no text", hint) from error
    except ValueError as error:
        raise UsageError(f"{path} is no spec file: {error}", hint) from error


def save_spec(spec: SymmetrySpec, path: Path) -> None:
    """Write a spec file, atomically."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(spec_to_json(spec), indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise WembedError(f"cannot write {path}: {error.strerror}") from error


def spec_metadata(spec: SymmetrySpec) -> dict[str, str]:
    """The safetensors metadata entry that makes a spec travel with its file."""
    return {METADATA_KEY: json.dumps(spec_to_json(spec))}


def _spec_from_metadata(checkpoint: Checkpoint) -> SymmetrySpec:
    try:
        return spec_from_text(checkpoint.metadata[METADATA_KEY])
    except ValueError as error:
        hint = "give another with --spec"
        raise CheckpointRefusedError(f"{checkpoint.path}: its metadata holds a broken spec: {error}", hint) from error


def _shapes(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    return {name: info.shape for name, info in checkpoint.tensors.items() if info.is_floating}
