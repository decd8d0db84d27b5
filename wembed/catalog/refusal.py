"""What pydantic finds wrong in a document in; one line that says where, what was found and what is expected, out."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from wembed.catalog.document import Document, Place
from wembed.errors import UsageError

# As pydantic calls what is wrong.
_UNKNOWN_KEY = "extra_forbidden"
_MISSING = "missing"
_NO_TAG = "union_tag_not_found"
_WRONG_TAG = "union_tag_invalid"

# In our words; the others say well what is expected.
_REASONS = {
    "model_type": "keys and values are expected",
    "model_attributes_type": "keys and values are expected",
    "dict_type": "keys and values are expected",
    "tuple_type": "a list is expected",
    "too_short": "at least {min_length} are expected, found {actual_length}",
    "too_long": "at most {max_length} are expected, found {actual_length}",
}

_MOST_SHOWN = 60  # characters of a value

Entry = Mapping[str, Any]  # Any: one of pydantic's ErrorDetails


def as_usage_error(document: Document, what: str, kind: type[BaseModel], error: ValidationError) -> UsageError:
    """The first thing that is wrong; a misspelt key before the one that is missing because of it.

    Args:
        document: what was read.
        what: people call it, "a manifest" say.
        kind: what it should have been.
        error: why it isn't.
    """
    entry = _first(error, document.contents)
    place = _place(entry, document.contents)
    line = document.line_of(place)
    at = f"{document.path} line {line}" if line else f"{document.path}"
    where = ".".join(map(str, place))
    if entry["type"] == _UNKNOWN_KEY:
        hint = _closest(str(place[-1]), _keys_at(kind, place[:-1], document.contents))
        return UsageError(f"{at}: {where} is no key of {what}", hint)
    if entry["type"] == _MISSING:
        return UsageError(f"{at}: {where} is missing")
    hint = str(entry.get("ctx", {}).get("hint", ""))
    if entry["type"] == _WRONG_TAG:
        hint = _closest(str(entry["ctx"]["tag"]), _tags(entry))
    return UsageError(f"{at}: {where + ': ' if where else ''}{_reason(entry)}", hint)


def _first(error: ValidationError, contents: Any) -> Entry:
    """What is told: of an alternative's several errors the one that got deepest."""
    entries = error.errors()
    first = min(entries, key=lambda entry: entry["type"] != _UNKNOWN_KEY)
    place = _place(first, contents)
    same = [entry for entry in entries if _place(entry, contents)[: len(place)] == place]
    return max(same, key=lambda entry: len(_place(entry, contents)))


def _place(entry: Entry, contents: Any) -> list[int | str]:
    """Where something is wrong, without pydantic's names of alternatives, which stand in no document."""
    place: list[int | str] = []
    here, steps = contents, list(entry["loc"])
    for number, step in enumerate(steps):
        is_named_only = number == len(steps) - 1 and entry["type"] == _MISSING
        if _holds(here, step):
            here = here[step]
        elif not is_named_only:
            continue
        place.append(step)
    if entry["type"] in (_NO_TAG, _WRONG_TAG):
        place.append(str(entry["ctx"]["discriminator"]).strip("'"))
    return place


def _holds(contents: Any, step: int | str) -> bool:
    if isinstance(contents, list):
        return isinstance(step, int) and step < len(contents)
    return isinstance(contents, dict) and step in contents


def _reason(entry: Entry) -> str:
    if entry["type"] == _NO_TAG:
        return "it is missing"
    if entry["type"] == _WRONG_TAG:
        return f"expected one of {', '.join(_tags(entry))}, found {_shown(entry['ctx']['tag'])}"
    template = _REASONS.get(entry["type"])
    reason = template.format(**entry.get("ctx", {})) if template else str(entry["msg"]).removeprefix("Value error, ")
    found = "" if isinstance(entry["input"], dict | list) else f", found {_shown(entry['input'])}"
    return f"{reason[:1].lower()}{reason[1:]}{found}"


def _tags(entry: Entry) -> list[str]:
    return [tag.strip(" '") for tag in str(entry["ctx"]["expected_tags"]).split(",")]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def _closest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def _keys_at(kind: type[BaseModel], place: Place, contents: Any) -> list[str]:
    """The keys known at a place in a document, by the schema of what it should be."""
    whole = kind.model_json_schema()
    here, definitions = _chosen(whole, whole.get("$defs", {}), contents), whole.get("$defs", {})
    for step in place:
        contents = contents[step]
        here = _chosen(_inside(here, step), definitions, contents)
    return list(here.get("properties", {}))


def _inside(schema: Mapping[str, Any], step: int | str) -> Mapping[str, Any]:
    found = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
    others = schema.get("patternProperties", {}).values()
    return found or next(iter(others), None) or schema.get("additionalProperties") or {}


def _chosen(schema: Mapping[str, Any], definitions: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    """What a schema is in the end: its references followed, of its alternatives the one that a value chooses."""
    while True:
        if "$ref" in schema:
            schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        elif "discriminator" in schema:
            schema = {"$ref": schema["discriminator"]["mapping"][value[schema["discriminator"]["propertyName"]]]}
        elif "anyOf" in schema:
            schema = schema["anyOf"][0]
        else:
            return schema
