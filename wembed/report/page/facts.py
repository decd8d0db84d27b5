"""An evaluation in; out what a reader must know of it: the numbers at the top of the page and the facts at its end."""

from collections.abc import Mapping, Sequence

from wembed.evaluate.results import Evaluation
from wembed.report.headline import questions
from wembed.report.lookup import main_encoder
from wembed.report.page.headline import beside
from wembed.report.page.text import escaped, shown

_MOST_TILES = 3  # of answers, beside those that count


def tiles(evaluation: Evaluation) -> str:
    """What was evaluated on, and what the main encoder reaches."""
    main = main_encoder(evaluation)
    counted = [(name, evaluation.facts[name]) for name in ("checkpoints", "runs") if name in evaluation.facts]
    found = [_tile(f"{value:,}" if isinstance(value, int) else str(value), name, []) for name, value in counted]
    for column in questions(evaluation)[:_MOST_TILES]:
        result = column.answer(evaluation, main)
        if result and result.value is not None:
            between = [said] if (said := beside(result)) else []
            found.append(_tile(shown(result.value), column.head, [column.below, *between]))
    return f'<dl class="tiles">{"".join(found)}</dl>' if found else ""


def fact_list(evaluation: Evaluation) -> str:
    """All facts, as a list of terms and values."""
    entries = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{_value(value)}</dd></div>" for name, value in evaluation.facts.items()
    )
    return f'<dl class="facts">{entries}</dl>' if entries else '<p class="quiet">None are kept.</p>'


def _tile(value: str, name: str, below: Sequence[str]) -> str:
    small = "".join(f"<small>{escaped(line)}</small>" for line in below)
    return f"<div><dt>{escaped(name)}{small}</dt><dd>{escaped(value)}</dd></div>"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{escaped(name)} {_value(entry)}" for name, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(entry) for entry in value)
    return f"<bdi>{escaped(value)}</bdi>"
