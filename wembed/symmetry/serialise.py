"""A SymmetrySpec as JSON: what stands in a spec file and in the metadata of the files that wembed writes.

What is read is not trusted: anything malformed is a ValueError that says what is wrong.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, get_args

from wembed.symmetry.axes import Axis, axis_from_json, axis_to_json
from wembed.symmetry.spec import Atom, AtomKind, AxisRole, Layer, LayerKind, ScaleClass, Site, SymmetrySpec, Tier

FORMAT = 2  # of the JSON form; 1 had chains only, and is still read
_REMEMBERED = 64  # texts: a zoo has many files of few structures


def spec_to_json(spec: SymmetrySpec) -> dict[str, object]:
    """A spec as JSON-ready data, with every field spelled out."""
    return {
        "format": FORMAT,
        "tier": spec.tier,
        "atoms": {
            a.name: {"size": a.size, "kind": a.kind, "frozen": a.frozen, "under": a.under} for a in spec.atoms.values()
        },
        "tensors": {name: [axis_to_json(axis) for axis in axes] for name, axes in sorted(spec.tensors.items())},
        "sites": {
            s.name: {
                "axis": axis_to_json(s.axis),
                "activation": s.activation,
                "slope": s.slope,
                "fixed": s.fixed,
                "limit": s.limit,
                "dual": s.dual,
            }
            for s in spec.sites.values()
        },
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "source": layer.source,
                "target": layer.target,
                "tensors": dict(layer.tensors),
                "layout": list(layer.layout),
                "eps": layer.eps,
                "target_part": list(layer.target_part),
                "source_part": list(layer.source_part),
            }
            for layer in spec.layers
        ],
        "stacks": {name: list(members) for name, members in spec.stacks.items()},
        "notes": list(spec.notes),
    }


@lru_cache(maxsize=_REMEMBERED)
def spec_from_text(text: str) -> SymmetrySpec:
    """A spec from JSON that is not trusted; a guess that was written down is still a guess.

    Equal texts give one object, whose parts must not be changed.

    Raises:
        ValueError: for anything that is not a spec, naming what is wrong.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("it is no JSON") from error
    spec = spec_from_json(value)
    return spec if spec.tier == "inferred" else replace(spec, tier="given")


def spec_from_json(value: Any) -> SymmetrySpec:
    """The inverse of `spec_to_json`.

    Args:
        value: parsed JSON, not trusted.

    Raises:
        ValueError: for anything that is not a spec, naming what is wrong.
    """
    if not isinstance(value, dict) or value.get("format") not in (1, FORMAT):
        raise ValueError(f"this is no spec of format {FORMAT}")
    try:
        return SymmetrySpec(
            tier=_one_of(value["tier"], Tier),
            atoms={name: _atom(name, atom) for name, atom in value["atoms"].items()},
            tensors={name: _axes(name, axes) for name, axes in value["tensors"].items()},
            sites={name: _site(name, site) for name, site in value["sites"].items()},
            layers=tuple(map(_layer, value["layers"])),
            stacks={name: tuple(map(str, members)) for name, members in value.get("stacks", {}).items()},
            notes=tuple(str(note) for note in value.get("notes", [])),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a part is missing or of the wrong type: {error}") from error


def _atom(name: str, value: Mapping[str, Any]) -> Atom:
    size = value["size"]
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"atom {name} has size {size!r}")
    return Atom(name, size, _one_of(value["kind"], AtomKind), str(value["frozen"]), str(value.get("under", "")))


def _axes(name: str, value: object) -> tuple[Axis, ...]:
    if not isinstance(value, list):
        raise ValueError(f"the axes of tensor {name} are no list")
    return tuple(map(axis_from_json, value))


def _site(name: str, value: Mapping[str, Any]) -> Site:
    axis, fixed = axis_from_json(value["axis"]), bool(value["fixed"])
    return Site(
        name,
        axis,
        str(value["activation"]),
        str(value["slope"]),
        fixed,
        _one_of(value.get("limit", "linear"), ScaleClass),
        str(value.get("dual", "")),
    )


def _layer(value: Mapping[str, Any]) -> Layer:
    tensors, layout, eps = value["tensors"], value["layout"], value["eps"]
    if not isinstance(tensors, dict) or not isinstance(layout, list) or not isinstance(eps, int | float):
        raise ValueError(f"layer {value['name']!r} is malformed")
    return Layer(
        name=str(value["name"]),
        kind=_one_of(value["kind"], LayerKind),
        source=str(value["source"]),
        target=str(value["target"]),
        tensors={str(role): str(name) for role, name in tensors.items()},
        layout=tuple(_one_of(role, AxisRole) for role in layout),
        eps=float(eps),
        target_part=_part(value.get("target_part", [])),
        source_part=_part(value.get("source_part", [])),
    )


def _part(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(number) is int for number in value):
        raise ValueError(f"a part is a list of numbers, found {value!r:.80}")
    return tuple(value)


def _one_of(value: object, literal: Any) -> Any:  # a Literal type has no type of its own
    known = get_args(literal)
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(map(str, known))}")
    return value
