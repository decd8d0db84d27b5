"""Sizes that a config gives: rules such as `num_key_value_heads | num_attention_heads` and `hidden_size / num_heads`.

A rule is one alternative or several, behind each other, split by ` | `; the first whose fields are all there counts. An
alternative is a chain of `*`, `/`, `+`, `-` and `^`, from left to right, of numbers and fields; a field may
lie deeper (`vision_config.hidden_size`, `depths.0`).
"""

from collections.abc import Callable, Mapping
from operator import add, mul, sub, truediv
from typing import Any

Config = Mapping[str, Any]  # config.json, not trusted


def evaluate(rule: str, config: Config) -> int | None:
    """What a rule gives, rounded down; None where its fields are missing, are no numbers, or give no positive size."""
    for alternative in rule.split(" | "):
        value = _evaluate_chain(alternative.split(" "), config)
        if value is not None and value >= 1:
            return int(value + _ROUNDING)
    return None


def _evaluate_chain(words: list[str], config: Config) -> float | None:
    total = _term(words[0], config)
    for operator, word in zip(words[1::2], words[2::2], strict=True):
        value = _term(word, config)
        if total is None or value is None or (operator == "/" and value == 0):
            return None
        if operator == "^" and value > _STEEPEST:
            return None
        total = _OPERATORS[operator](total, value)
    return total


def _term(word: str, config: Config) -> float | None:
    value = float(word) if word.replace(".", "").isdigit() else field_of(config, word)
    value = len(value) if isinstance(value, Mapping) else value  # as many labels as `id2label` names
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < _LARGEST else None


_OPERATORS: Mapping[str, Callable[[float, float], float]] = {"*": mul, "/": truediv, "+": add, "-": sub, "^": pow}
_STEEPEST = 2  # power
_ROUNDING = 1e-6  # 0.6 * 80 is a little less than 48
_LARGEST = 1e12  # more than any size; beyond it floats would no longer be exact


def field_of(config: Config, path: str) -> object:
    """The value at a path such as `text_config.num_attention_heads`, or None where it leads nowhere."""
    value: Any = config
    for word in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(word)
        elif isinstance(value, list | tuple) and word.isdigit() and int(word) < len(value):
            value = value[int(word)]
        else:
            return None
    return value


def with_defaults(config: Config, defaults: Mapping[str, object]) -> dict[str, Any]:
    """A config with the fields that it does not have, given by their paths."""
    whole = dict(config)
    for path, value in defaults.items():
        head, _, rest = path.partition(".")
        if rest:
            inner = whole.get(head, {})
            whole[head] = with_defaults(inner, {rest: value}) if isinstance(inner, Mapping) else inner
        else:
            whole.setdefault(path, value)
    return whole


def fields_in(rule: str) -> list[str]:
    """The paths of the fields that a rule reads."""
    return [word for word in rule.split(" ") if word[:1].isalpha()]
