"""The text of a YAML or TOML file in; what it holds, and the line of every place in it, out."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from wembed.errors import NotFoundError, UsageError

Place = Sequence[int | str]  # keys and numbers from the top down

_TOML = ".toml"


@dataclass(frozen=True)
class Document:
    """A file that people wrote.

    Args:
        path: of the file.
        contents: plain values, lists and dictionaries.
        _text: of a TOML file, whose parser keeps no lines.
        _root: of a YAML file.
    """

    path: Path
    contents: Any  # Any: whatever the file holds
    _text: str = ""
    _root: yaml.Node | None = None

    def where(self, place: Place) -> str:
        """A place for people: the file, the line if it is known, the keys."""
        line = self.line_of(place)
        return f"{self.path}{f' line {line}' if line else ''}: {'.'.join(map(str, place))}"

    def line_of(self, place: Place) -> int | None:
        """The line of a place, from 1; of what it stands in where it isn't there, None where that can't be told."""
        return _line_in_yaml(self._root, place) if self._root else _line_in_toml(self._text, place)


def read_document(path: Path) -> Document:
    """Reads a file as its ending says: TOML, else YAML; a key that stands twice is refused.

    Raises:
        NotFoundError: if there is no such file.
        UsageError: if it can't be read, naming the line.
    """
    if not path.exists():
        raise NotFoundError(f"{path}: no such file")
    if path.is_dir():
        raise NotFoundError(f"{path}: is a folder, expected a YAML or TOML file")
    is_toml = path.suffix == _TOML
    try:
        text = path.read_text(encoding="utf-8")
        return Document(path, tomllib.loads(text), text) if is_toml else _read_yaml(path, text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path} is no {'TOML' if is_toml else 'YAML'} file: {reason}") from error


def _read_yaml(path: Path, text: str) -> Document:
    loader = yaml.SafeLoader(text)
    loader.name = path.name  # which its errors give, with the line
    try:
        root = loader.get_single_node()
        for key in _keys_twice(root):
            line = key.start_mark.line + 1
            raise UsageError(f"{path} line {line}: the key {key.value} stands there twice", "leave one of them out")
        return Document(path, None if root is None else loader.construct_document(root), _root=root)
    finally:
        loader.dispose()


def _keys_twice(root: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:  # an alias, of itself perhaps
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += [part for pair in node.value for part in pair]
            names: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in names:
                    yield key
                names |= {key.value} if isinstance(key, yaml.ScalarNode) else set()


def _line_in_yaml(node: yaml.Node, place: Place) -> int:
    mark = node.start_mark
    for step in place:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if pair is None:
                break
            mark, node = pair[0].start_mark, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            mark = node.start_mark
        else:
            break
    return int(mark.line) + 1


def _line_in_toml(text: str, place: Place) -> int | None:
    """Where the last key of a place stands, if it stands in one line only."""
    keys = [step for step in place if isinstance(step, str)]
    if not keys:
        return None
    as_key = re.compile(rf"""(?<![\w-])["']?{re.escape(keys[-1])}["']?\s*[=.\]]""")
    lines = [number for number, line in enumerate(text.splitlines(), start=1) if as_key.search(line)]
    return lines[0] if len(lines) == 1 else None
