"""Checkpoints in; where their configs make them different networks, or have them run in other ways, out."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch

from wembed.checkpoint import Checkpoint
from wembed.symmetry.families import structural_fields

VOCABULARY_FIELD = "vocab_size"

_STRUCTURAL = ("model_type", "hidden_act", "num_attention_heads", "num_key_value_heads")  # beside a family's own
_PARTS = ("_config", "_cfg")  # how the configs of a part end
_ROPE = ("rope_parameters", "rope_scaling")  # what transformers calls one thing, since version 5 and before
_RENAMED = {"type": "rope_type"}  # of old rope_scaling
_DEFAULTS: Mapping[str, object] = {"rope_type": "default", "rope_theta": 10000.0}
# What makes another function of the same tensors by standing there at all.
_MATTER_ALONE = ("rope_*", "*factor", "*sliding_window*", "layer_types", "*softcap*")
# What a trained network computes does not depend on these.
_HARMLESS = (
    "_*", "transformers_version", "torch_dtype", "dtype", "use_cache", "*dropout*", "*pdrop", "*drop_rate",
    "initializer_*", "*_token_id", "output_attentions", "output_hidden_states", "return_dict", "torchscript",
    "gradient_checkpointing", "name_or_path", "finetuning_task", "problem_type", "task_specific_params",
    "pretraining_tp", "auto_map", "tag", "url", "file", "source", "hf_hub_id", "hf_hub_filename", "license",
    "description", "paper_*", "origin_url", VOCABULARY_FIELD,
)  # fmt: skip
_MOST_NAMED = 10  # fields
_MOST_SHOWN = 60  # letters of a value


def differing_fields(checkpoints: Sequence[Checkpoint]) -> Iterator[str]:
    """Config entries that differ where the architecture reads them; of vocabularies the tensors tell."""
    first = checkpoints[0].config
    for checkpoint in checkpoints[1:]:
        for field in _structural(first):
            values = [config.get(field) for config in (first, checkpoint.config)]
            if field != VOCABULARY_FIELD and None not in values and values[0] != values[1]:
                yield f"config {field} is {values[0]!r} and {values[1]!r}"


def noted_fields(checkpoints: Sequence[Checkpoint]) -> list[str]:
    """Config entries that differ and that no tensor shows: what is merged runs by those of the first.

    Base frequencies of rotary positions, epsilons of norms and attention windows are of this kind.
    """
    first, *others = [checkpoint for checkpoint in checkpoints if checkpoint.config] or checkpoints
    if first is not checkpoints[0]:
        return []
    structural, own, notes = _structural(first.config), _flat(first.config), []
    flat = {checkpoint.path: _flat(checkpoint.config) for checkpoint in others}
    for field in dict.fromkeys([*own, *(field for fields in flat.values() for field in fields)]):
        differing = [
            f"{_shown(_value(field, fields))} in {path}"
            for path, fields in flat.items()
            if field not in structural and _differs(field, own, fields)
        ]
        if differing:
            taken = f"{_shown(_value(field, own))} in {first.path}, which is taken"
            notes.append(f"config {_named(field)} is {taken}, and {', '.join(differing)}")
    more = len(notes) - _MOST_NAMED
    return [*notes[:_MOST_NAMED], *([f"{more} more fields of their configs differ"] if more > 0 else [])]


def _structural(config: Mapping[str, object]) -> list[str]:
    return list(dict.fromkeys([*_STRUCTURAL, *sorted(structural_fields(dict(config)))]))


def _flat(config: Mapping[str, object]) -> dict[str, object]:
    """The entries of a config and of those of its parts, by path; rotary positions by one name in all versions."""
    found: dict[str, object] = {}
    todo: list[tuple[str, Mapping[str, object]]] = [("", config)]
    while todo:
        front, part = todo.pop()
        for key, value in part.items():
            if isinstance(value, dict) and key in _ROPE:
                found |= {front + _RENAMED.get(str(name), str(name)): entry for name, entry in value.items()}
            elif isinstance(value, dict) and key.endswith(_PARTS):
                todo.append((f"{front}{key}.", value))
            elif key not in _ROPE:
                found[front + key] = value
    return found


def _differs(field: str, own: Mapping[str, object], other: Mapping[str, object]) -> bool:
    name = _last(field)
    if _is_one_of(name, _HARMLESS) or (not _is_one_of(name, _MATTER_ALONE) and not (field in own and field in other)):
        return False
    values = [_value(field, own), _value(field, other)]
    return values[0] != values[1] and any(values)


def _value(field: str, fields: Mapping[str, object]) -> object:
    return fields.get(field, _DEFAULTS.get(_last(field)))


def _last(field: str) -> str:
    return field.rpartition(".")[2]


def _is_one_of(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _named(field: str) -> str:
    """A field of somebody's config, in which there may be anything."""
    return field if field.isprintable() and len(field) <= _MOST_SHOWN else _shown(field)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
