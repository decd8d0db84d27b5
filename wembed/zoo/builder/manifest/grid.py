"""A grid in: the fields of an architecture, each with its options; every architecture that it spans out."""

import itertools
import math
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from wembed.models import Architecture
from wembed.zoo.builder.manifest.refused import Place, moved, refused

MOST_ARCHITECTURES = 1_000  # of one grid

_UNKNOWN_KEY = "extra_forbidden"  # as pydantic calls it
_ADAPTER: TypeAdapter[Architecture] = TypeAdapter(Architecture)


def architectures_of(grid: Mapping[str, Any], place: Place) -> list[Architecture]:
    """Every combination of a grid's options, the last field changing fastest.

    Args:
        grid: a list of options by field; what is no list is the only option.
        place: of the grid in its manifest.

    Raises:
        ValidationError: there are no options or too many, or a combination is no architecture; it says at which place.
    """
    options = {name: value if isinstance(value, list) else [value] for name, value in grid.items()}
    for name, values in options.items():
        if not values:
            raise refused((*place, name), "at least one option is expected, found none")
    count = math.prod(map(len, options.values())) if options else 0
    if not 1 <= count <= MOST_ARCHITECTURES:
        raise refused(place, f"1 to {MOST_ARCHITECTURES} architectures are expected, found {count}")
    numbers = itertools.product(*(range(len(values)) for values in options.values()))
    return [_architecture(grid, dict(zip(options, chosen, strict=True)), place) for chosen in numbers]


def _architecture(grid: Mapping[str, Any], chosen: Mapping[str, int], place: Place) -> Architecture:
    """The combination of some options, each given by its number; an error is at the option that it is about."""
    values = {name: value[chosen[name]] if isinstance(value, list) else value for name, value in grid.items()}

    def place_of(within: Place, wrong: str) -> Place:
        if within and within[0] not in values and len(within) > 1:
            within = within[1:]  # the first is the kind, by which pydantic chose the class
        if not within or within[0] not in values:
            return (*place, *within)
        field = str(within[0])
        option = (chosen[field],) if isinstance(grid[field], list) and wrong != _UNKNOWN_KEY else ()
        return (*place, field, *option, *within[1:])

    try:
        return _ADAPTER.validate_python(values)
    except ValidationError as error:
        for entry in error.errors():
            name = entry["loc"][-1] if entry["loc"] else ""
            if entry["type"] == _UNKNOWN_KEY and name in architecture_fields():
                raise refused((*place, name), f"{values['kind']} has no such setting") from error
        raise moved(error, place_of) from error


def architecture_fields() -> list[str]:
    """The settings that any architecture has."""
    schema = _ADAPTER.json_schema()
    kinds = [schema["$defs"][place.rsplit("/", 1)[-1]] for place in schema["discriminator"]["mapping"].values()]
    return list(dict.fromkeys(name for kind in kinds for name in kind["properties"]))
