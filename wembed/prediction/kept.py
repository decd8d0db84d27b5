"""A zoo's folder and what a prediction rests on in; the fitted predictor, kept from an earlier call if nothing changed.

A predictor is nothing but arrays, kept as npz: reading one never runs anything. It goes by the encoder, the target and
the seeds, and holds a hash of the rows that it was fitted on; what doesn't fit any more is fitted again.
"""

import contextlib
import dataclasses
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wembed.prediction.answers import Fitted
from wembed.prediction.classifier import Classifier
from wembed.prediction.domain import Domain
from wembed.prediction.heads import Kernel, Linear, Mean, Network
from wembed.prediction.intervals import Scores, Smooth
from wembed.prediction.predictor import Predictor
from wembed.prediction.regression import Limits, Regression
from wembed.prediction.rows import Ground, fit_target
from wembed.prediction.space import Space, Standardised
from wembed.prediction.targets import Target, values_of
from wembed.prediction.tasks import Expected, Tasks
from wembed.prediction.trees import Trees

FOLDER = "predictors"  # of a zoo

_VERSION = 6  # of what is kept
_PARTS: Mapping[str, type] = {
    part.__name__: part
    for part in (
        Classifier, Domain, Expected, Fitted, Kernel, Limits, Linear, Mean, Network, Predictor, Regression, Scores,
        Smooth, Space, Standardised, Tasks, Trees,
    )
}  # fmt: skip
_NONE, _TUPLE = "None", "tuple"
_DATA = "data"  # the hash of what it was fitted on

Arrays = Mapping[str, NDArray]  # type: ignore[type-arg]  # of numbers, truth values or text


def kept_or_fitted(ground: Ground, target: Target, folder: Path) -> Fitted:
    """Gives the predictor of a target: the one that is kept, or a new one, which is then kept.

    Args:
        ground: what it rests on.
        target: what it predicts.
        folder: where predictors are kept.

    Raises:
        TooFewRunsError: too few runs have a value of the target.
    """
    path, data = folder / f"{_name(ground, target)}.npz", _data_hash(ground, target)
    found = _read(path, data)
    if found is None:
        found = fit_target(ground, target)
        with contextlib.suppress(OSError):  # a zoo that can't be written to is fitted anew each time
            _write(path, found, data)
    return found


def _name(ground: Ground, target: Target) -> str:
    settings = [_VERSION, ground.encoder, target.name, ground.split_seed, ground.seed, ground.hold_out]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]


def _data_hash(ground: Ground, target: Target) -> str:
    values, digest = values_of(target, ground.rows), hashlib.sha256()
    digest.update(repr((target.kind, target.limits, target.logarithmic)).encode())
    for row in ground.rows:
        own = (row.id, row.content, row.spec, row.structure, row.dataset)
        has = (row.id in ground.vectors, row.id in ground.transfers)
        kin = (row.run, row.split, row.init_id, row.parent, row.other_parent)
        digest.update(repr((*own, kin, values.get(row.id), has)).encode())
    return digest.hexdigest()


def _read(path: Path, data: str) -> Fitted | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if arrays[_DATA].item() != data:
                return None
            found = _rebuilt(arrays, "fitted")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None  # there is none, or a broken one, which is as good
    return found if isinstance(found, Fitted) else None


def _write(path: Path, fitted: Fitted, data: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            np.savez(file, allow_pickle=False, **_flattened(fitted, "fitted") | {_DATA: np.array(data)})
            file.close()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _flattened(value: object, name: str) -> dict[str, NDArray]:  # type: ignore[type-arg]
    """Name -> array, of all that a value is made of."""
    if value is None:
        return {f"{name}:": np.array(_NONE)}
    if isinstance(value, tuple):
        parts = {str(place): part for place, part in enumerate(value)}
        kind = _TUPLE
    elif type(value).__name__ in _PARTS:
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}  # type: ignore[arg-type]
        kind = type(value).__name__
    else:
        return {name: np.asarray(value)}
    arrays = {f"{name}:": np.array(kind)}
    for part, inner in parts.items():
        arrays |= _flattened(inner, f"{name}.{part}")
    return arrays


def _rebuilt(arrays: Arrays, name: str) -> object:
    if f"{name}:" not in arrays:
        found = arrays[name]
        return found if found.ndim else found.item()
    kind = str(arrays[f"{name}:"].item())
    if kind == _NONE:
        return None
    if kind == _TUPLE:
        count = 0
        while f"{name}.{count}" in arrays or f"{name}.{count}:" in arrays:
            count += 1
        return tuple(_rebuilt(arrays, f"{name}.{place}") for place in range(count))
    part = _PARTS[kind]
    return part(**{field.name: _rebuilt(arrays, f"{name}.{field.name}") for field in dataclasses.fields(part)})
