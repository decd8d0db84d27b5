"""What people wrote about a repository in; a Card out, of what can be made sense of.

Cards are written by hand and by tools of many ages. Nothing in them is needed to read the weights, so that whatever is
missing, malformed, too long or not printable is left out, and nothing is an error.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from wembed.hub.repository import Card, Metric

LONGEST_TEXT = 200  # characters
MOST_TAGS = 1000
MOST_BASE_MODELS = 100
MOST_METRICS = 1000
_LARGEST_COUNT = 2**63 - 1
_RELATIONS = ("finetune", "adapter", "merge", "quantized")
_NAME = re.compile(r"\w[\w.\-]*(/\w[\w.\-]*)?", re.ASCII)
_BASE_TAG = "base_model:"
_LICENCE_TAG = "license:"


def read_card(answer: Mapping[str, object]) -> Card:
    """Gives what the Hub's answer about a repository says of it, beside its files."""
    card = _object(answer.get("cardData"))
    tags = _texts(answer.get("tags"), MOST_TAGS)
    return Card(
        model_type=_text(_object(answer.get("config")).get("model_type")),
        library=_text(answer.get("library_name")),
        pipeline=_text(answer.get("pipeline_tag")),
        licence=_licence(card, tags),
        tags=tags,
        downloads=_count(answer.get("downloads")),
        likes=_count(answer.get("likes")),
        gated=answer.get("gated") not in (None, False),
        parameters=_parameters(_object(answer.get("safetensors"))),
        base_models=_base_models(card, tags),
        relation=_relation(card, tags),
        metrics=tuple(islice(_metrics(answer.get("model-index") or card.get("model-index")), MOST_METRICS)),
    )


def _licence(card: Mapping[str, object], tags: Iterable[str]) -> str | None:
    """One identifier; several are joined, so that none of them passes for the only one."""
    licences = _texts(card.get("license"), MOST_TAGS)
    licences = licences or tuple(tag.removeprefix(_LICENCE_TAG) for tag in tags if tag.startswith(_LICENCE_TAG))
    return _text(", ".join(licences))


def _base_models(card: Mapping[str, object], tags: Iterable[str]) -> tuple[str, ...]:
    given = _texts(card.get("base_model"), MOST_BASE_MODELS)
    tagged = [tag.removeprefix(_BASE_TAG).rpartition(":")[2] for tag in tags if tag.startswith(_BASE_TAG)]
    names = [name for name in given or tagged if _NAME.fullmatch(name) and ".." not in name]
    return tuple(islice(dict.fromkeys(names), MOST_BASE_MODELS))


def _relation(card: Mapping[str, object], tags: Iterable[str]) -> str | None:
    given = card.get("base_model_relation")
    tagged = (tag.removeprefix(_BASE_TAG).partition(":")[0] for tag in tags if tag.startswith(_BASE_TAG))
    return next((relation for relation in (given, *tagged) if relation in _RELATIONS), None)


def _parameters(safetensors: Mapping[str, object]) -> int | None:
    total = _count(safetensors.get("total"))
    if total is not None:
        return total
    counts = [_count(count) for count in _object(safetensors.get("parameters")).values()]
    known = [count for count in counts if count is not None]
    return _count(sum(known)) if known and len(known) == len(counts) else None


def _metrics(index: object) -> Iterator[Metric]:
    """The figures of a model index: a list of models, each with results, each with a task, a data set and metrics."""
    for model in _objects(index):
        for result in _objects(model.get("results")):
            task = _text(_object(result.get("task")).get("type")) or ""
            dataset = _object(result.get("dataset"))
            split = _text(dataset.get("split")) or ""
            for metric in _objects(result.get("metrics")):
                kind, value = _text(metric.get("type")), _number(metric.get("value"))
                if kind and value is not None:
                    yield Metric(kind, value, _dataset(dataset), split, task)


def _dataset(dataset: Mapping[str, object]) -> str:
    """Its identifier with the part that is meant, such as glue/sst2; else its name."""
    identifier, part = _text(dataset.get("type")), _text(dataset.get("config"))
    if identifier and part and part not in ("default", identifier):
        return f"{identifier}/{part}"
    return identifier or _text(dataset.get("name")) or ""


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _texts(value: object, most: int) -> tuple[str, ...]:
    """The texts of a list, or a single one."""
    found = map(_text, value if isinstance(value, list) else [value])
    return tuple(islice(filter(None, found), most))


def _text(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
        return None
    return value.strip() or None


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _LARGEST_COUNT else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
