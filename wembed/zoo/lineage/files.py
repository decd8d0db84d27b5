"""Likely parents in; the family trees as a DOT, GraphML or JSON file out."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wembed.errors import UsageError
from wembed.zoo.export import written_whole
from wembed.zoo.lineage.descent import Descent

_DECIMALS = 4


def check_suffix(path: Path) -> None:
    """Raises a UsageError if a path isn't of a kind that can be written, listing those that can."""
    if path.suffix not in _TEXTS:
        raise UsageError(f"{path} is no family tree, found {path.suffix or 'no suffix'!r}", f"end it in {_KNOWN}")


def save_lineage(descents: Sequence[Descent], path: Path) -> None:
    """Writes all checkpoints, an edge from each likely parent (of a merge from both), and the pairs of next of kin.

    The file is there as a whole or not at all.

    Raises:
        UsageError: if the file's suffix isn't known.
        WembedError: if it can't be written.
    """
    check_suffix(path)
    text = _TEXTS[path.suffix](descents)
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _edges(descents: Sequence[Descent]) -> list[dict[str, object]]:
    return [
        {"parent": parent.id, "child": own.row.id} | _facts(own)
        for own in descents
        for parent in (own.parent, own.other_parent)
        if parent
    ]


def _pairs(descents: Sequence[Descent]) -> list[tuple[str, str]]:
    """Next of kin of which it can't be told who came first, each pair once."""
    found = (sorted((own.row.id, own.kin.id)) for own in descents if own.kin and not own.parent)
    return list(dict.fromkeys((one, other) for one, other in found))


def _facts(own: Descent) -> dict[str, object]:
    """What is known of a descent, without what isn't."""
    numbers = {name: getattr(own, name) for name in ("probability", "similarity", "change", "p_value")}
    rounded = {name: round(value, _DECIMALS) for name, value in numbers.items() if value is not None}
    tensors = {name: getattr(own, name) for name in ("identical", "compared")}
    counted = {name: value for name, value in tensors.items() if value is not None}
    return {"derivation": own.derivation, "direction": own.direction} | rounded | counted


def _json(descents: Sequence[Descent]) -> str:
    nodes = [{"id": own.row.id} | _labels(own) for own in descents]
    return json.dumps({"nodes": nodes, "edges": _edges(descents), "kin": _pairs(descents)}, indent=2) + "\n"


def _dot(descents: Sequence[Descent]) -> str:
    lines = ["digraph lineage {", "  rankdir=LR; node [shape=box];"]
    lines += [f"  {_quoted(own.row.id)};" for own in descents]
    for edge in _edges(descents):
        ends = f"{_quoted(edge['parent'])} -> {_quoted(edge['child'])}"
        lines.append(f"  {ends} [label={_quoted(edge['derivation'])}];")
    for one, other in _pairs(descents):
        lines.append(f"  {_quoted(one)} -> {_quoted(other)} [dir=none style=dashed];")
    return "\n".join([*lines, "}", ""])


def _graphml(descents: Sequence[Descent]) -> str:
    import networkx  # type: ignore[import-untyped]

    graph = networkx.DiGraph()
    for own in descents:
        graph.add_node(_printable(own.row.id), **{name: _printable(text) for name, text in _labels(own).items()})
    for edge in _edges(descents):
        facts = {name: value for name, value in edge.items() if name not in ("parent", "child")}
        graph.add_edge(_printable(edge["parent"]), _printable(edge["child"]), kind="parent", **facts)
    for one, other in _pairs(descents):
        graph.add_edge(_printable(one), _printable(other), kind="kin")
    return "\n".join([*networkx.generate_graphml(graph), ""])


def _labels(own: Descent) -> dict[str, str]:
    labels = {"architecture": own.row.architecture, "dataset": own.row.dataset}
    return {name: text for name, text in labels.items() if text}


def _quoted(text: object) -> str:
    escaped = _printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _printable(text: object) -> str:
    """Text without control characters, which neither format can hold."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(text))


_TEXTS: Mapping[str, Callable[[Sequence[Descent]], str]] = {".dot": _dot, ".graphml": _graphml, ".json": _json}
_KNOWN = ", ".join(_TEXTS)
