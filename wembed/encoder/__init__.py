"""From a weight graph to a vector that does not change when neurons are reordered or rescaled."""

from wembed.encoder.base import Encoder, Item, identity_of, unit_rows
from wembed.encoder.fingerprint import Fingerprint, FingerprintConfig, Stats, pooled_stats
from wembed.encoder.saved import BUILT_IN, DEFAULT_ENCODER, load_encoder, save_encoder, training_of

__all__ = [
    "BUILT_IN",
    "DEFAULT_ENCODER",
    "Encoder",
    "Fingerprint",
    "FingerprintConfig",
    "Item",
    "Stats",
    "identity_of",
    "load_encoder",
    "pooled_stats",
    "save_encoder",
    "training_of",
    "unit_rows",
]
