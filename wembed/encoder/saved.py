"""Encoders by name, and as folders: config.json, and model.safetensors where there are weights."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from wembed.device import CPU
from wembed.encoder.base import Encoder
from wembed.encoder.features import FEATURE_VERSION
from wembed.encoder.fingerprint import Fingerprint, FingerprintConfig, Stats
from wembed.errors import NotFoundError, WembedError

if TYPE_CHECKING:
    from torch import Tensor

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
DEFAULT_ENCODER = "fingerprint"
BUILT_IN = ("fingerprint", "stats", "gnn")


def load_encoder(name: str, folder: Path | None = None, device: str = CPU) -> Encoder:
    """An encoder by its built-in name, or from a folder that `save_encoder` wrote.

    Built in are `fingerprint` and `stats`, which need no training, `gnn`, which is untrained, and `pretrained`, where
    the package holds it.

    Args:
        name: a built-in name; ignored where there is a folder.
        folder: of a saved encoder.
        device: where a learned encoder runs; the others run on the CPU.

    Raises:
        NotFoundError: no such name, or no encoder in the folder.
        WembedError: the folder's files do not fit, or were made by another version of the features.
    """
    if folder is not None:
        return _from_folder(folder, device)
    match name:
        case "fingerprint":
            return Fingerprint()
        case "stats":
            return Stats()
        case "gnn":
            from wembed.encoder.gnn import Gnn

            return Gnn(device=device)
        case "pretrained":
            from wembed.encoder.pretrained import FOLDER

            return _from_folder(FOLDER, device)
        case _:
            raise NotFoundError(f"no encoder {name!r}", f"built in are {', '.join(BUILT_IN)}; or give a folder")


def save_encoder(encoder: Encoder, folder: Path, training: Mapping[str, object] | None = None) -> None:
    """Write an encoder as a folder; the config comes last, so that a folder with a config is whole.

    Args:
        encoder: what to write.
        folder: where to; it is made if it isn't there.
        training: how it was trained and on what, for `training_of`; any JSON values.
    """
    from wembed.checkpoint import write_safetensors
    from wembed.checkpoint.staging import staged

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG_FILE).unlink(missing_ok=True)  # it would speak of other weights
    config = asdict(encoder.config) if hasattr(encoder, "config") else {"feature_version": FEATURE_VERSION}
    if hasattr(encoder, "module"):
        weights = {name: ("F32", value.cpu().numpy()) for name, value in encoder.module.state_dict().items()}
        write_safetensors(folder / WEIGHTS_FILE, weights, {})
    told = {"training": dict(training)} if training else {}
    text = json.dumps({"encoder": encoder.name, **config, **told}, indent=1)
    with staged(folder / CONFIG_FILE) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def training_of(folder: Path) -> dict[str, object]:
    """How the encoder of a folder was trained, and on what; {} where it was not.

    Raises:
        NotFoundError: no encoder in the folder.
        WembedError: its config is none.
    """
    training = _config(folder).get("training", {})
    return training if isinstance(training, dict) else {}


def _config(folder: Path) -> dict[str, object]:
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"no encoder in {folder}: it has no {CONFIG_FILE}") from error
    except (ValueError, RecursionError) as error:
        raise WembedError(f"{folder / CONFIG_FILE} is no encoder's config") from error
    if not isinstance(config, dict) or not isinstance(config.get("encoder"), str):
        raise WembedError(f"{folder / CONFIG_FILE} is no encoder's config")
    return config


def _from_folder(folder: Path, device: str) -> Encoder:
    config = _config(folder)
    kind = str(config.pop("encoder"))
    config.pop("training", None)
    if config.get("feature_version") != FEATURE_VERSION:
        found = config.get("feature_version")
        raise WembedError(
            f"{folder} was made with feature version {found}, this is {FEATURE_VERSION}", "train it again"
        )
    try:
        return _build(kind, config, folder, device)
    except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WembedError(f"{folder} holds no {kind} encoder that fits its config: {reason}") from error


def _build(kind: str, config: dict[str, object], folder: Path, device: str) -> Encoder:
    match kind:
        case "fingerprint":
            lists = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
            return Fingerprint(FingerprintConfig(**lists))  # type: ignore[arg-type]
        case "stats":
            return Stats()
        case "gnn":
            from wembed.encoder.gnn import Gnn
            from wembed.encoder.readout import GnnConfig

            tasks = tuple(tuple(task) for task in config.pop("tasks"))  # type: ignore[attr-defined]
            return Gnn(GnnConfig(**config, tasks=tasks), _weights(folder), device)  # type: ignore[arg-type]
        case "pna":
            from wembed.encoder.pna import Pna, PnaConfig

            return Pna(PnaConfig(**config), _weights(folder), device)  # type: ignore[arg-type]
        case "mlp" | "pca-mlp":
            from wembed.encoder.flat import Flat, FlatConfig

            return Flat(FlatConfig(**config), _weights(folder), device)  # type: ignore[arg-type]
        case _:
            raise ValueError(f"unknown kind {kind!r}")


def _weights(folder: Path) -> "dict[str, Tensor]":
    import torch

    from wembed.checkpoint import open_checkpoint

    stored = open_checkpoint(folder / WEIGHTS_FILE)
    return {stored.prefix + name: torch.from_numpy(stored.read(name)) for name in stored.tensors}
