"""What could not be embedded in; whether it is as it was then, so that nobody tries it again in vain, out."""

import json
from collections.abc import Iterable
from pathlib import Path

import wembed
from wembed.catalog import Zoo
from wembed.store import EmbeddingTable

NOTE = "wembed.passed_over"


def passed_over(zoo: Zoo, table: EmbeddingTable) -> dict[str, bool]:
    """The paths, as in the catalog, of what a table lacks since it could not be embedded: whether it is as it was."""
    kept = json.loads(table.note(NOTE) or "{}")
    return {path: state == _state(zoo.root / path) for path, state in kept.items()}


def passed_note(zoo: Zoo, paths: Iterable[str]) -> dict[str, str]:
    """What a table keeps of files, by their paths in the catalog, that could not be embedded."""
    return {NOTE: json.dumps({path: _state(zoo.root / path) for path in sorted(paths)})}


def _state(path: Path) -> str:
    """What changes where a file, or one in a folder, changes, or where another version of wembed looks at it."""
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [file.stat() for file in files]
    except OSError as error:
        return f"{wembed.__version__} {error.errno}"
    return " ".join([wembed.__version__, *(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)])
