"""Search a zoo of neural-network checkpoints by their weights, whatever the order and scale of the neurons."""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Query": "wembed.neighbours",
    "Wanted": "wembed.neighbours",
    "Zoo": "wembed.catalog",
    "build_graph": "wembed.graph",
    "find_spec": "wembed.symmetry",
    "load_encoder": "wembed.encoder",
    "load_module": "wembed.models",
    "open_checkpoint": "wembed.checkpoint",
    "predict": "wembed.evaluate.predicting",
    "search": "wembed.neighbours",
}

__all__ = [
    "Query",
    "Wanted",
    "Zoo",
    "build_graph",
    "find_spec",
    "load_encoder",
    "load_module",
    "open_checkpoint",
    "predict",
    "search",
]


def __getattr__(name: str) -> object:
    """Resolve a public name when it is first used, so that `import wembed` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
