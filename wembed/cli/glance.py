"""An evaluation in; a glance at it, as people read it on a terminal, out: the headline table and a small map."""

import itertools
from typing import TYPE_CHECKING

from wembed.cli.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from wembed.evaluate import Evaluation, Result
    from wembed.report.headline import Headline, Question
    from wembed.report.small_map import Draw, Sign, SmallMap

_COLUMN = 16  # characters of a column of numbers, with the blanks around it
_BLANKS = 3  # around a column
_WIDEST, _LINES = 72, 18  # of a map, in characters
# Those of Okabe and Ito, as in the figures; the last is for others.
_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#F0E442", "#0072B2", "#999999", "dim")


def print_glance(evaluation: "Evaluation") -> None:
    """Prints headline tables and a map; without colours where NO_COLOR says so or no terminal is there."""
    from rich.console import Console

    from wembed.report.headline import headlines

    console = Console(highlight=False, markup=False, emoji=False)
    for table in headlines(evaluation):
        console.print(plain(table.title), style="bold", soft_wrap=True)
        for part in _parts(evaluation, table, console.width):
            console.print(part)
            console.print()
        if _room(table, console.width) < _COLUMN * len(table.questions):
            console.print("there is no room for intervals; see --json\n", style="dim", soft_wrap=True)
    if evaluation.map:
        _print_map(console, evaluation)


def _parts(evaluation: "Evaluation", headline: "Headline", width: int) -> "Iterator[Table]":
    """One table where there is room for all columns, without intervals if need be; else one under the other."""
    room = _room(headline, width)
    if room >= _COLUMN * len(headline.questions):
        yield _table(evaluation, headline, headline.questions, _with_interval)
        return
    left = list(headline.questions)
    while left:
        ends = itertools.accumulate(_narrow(question) for question in left)
        count = max(1, sum(1 for end in ends if end <= room))
        yield _table(evaluation, headline, left[:count], _alone)
        left = left[count:]


def _room(headline: "Headline", width: int) -> int:
    """What names leave of a line."""
    return width - max(len(_name(name)) for name in headline.encoders) - 1


def _narrow(question: "Question") -> int:
    """How wide a column without intervals is, with the blanks around it."""
    return max(map(len, plain(f"{question.head} {question.below}").split())) + _BLANKS


def _table(
    evaluation: "Evaluation", headline: "Headline", chosen: "Sequence[Question]", cell: "Callable[[Result], Text]"
) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from wembed.report.lookup import main_encoder

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(Text("encoder"), no_wrap=True)
    for question in chosen:
        most = (_COLUMN if cell is _with_interval else _narrow(question)) - _BLANKS
        table.add_column(Text(f"{plain(question.head)}\n{plain(question.below)}"), justify="right", max_width=most)
    for name in headline.encoders:
        style = "bold" if name == main_encoder(evaluation) else ""
        answers = (question.answer(evaluation, name) for question in chosen)
        cells = (cell(row) if row and row.value is not None else Text("n/a", style="dim") for row in answers)
        table.add_row(Text(_name(name), style=style), *cells)
    return table


def _name(encoder: str) -> str:
    from wembed.report.words import short

    return short(plain(encoder))


def _with_interval(row: "Result") -> "Text":
    """A number above its interval, or above the spread of a mean over seeds."""
    from rich.text import Text

    from wembed.report.lookup import interval

    ends = interval(row)
    said = (
        f"{_short(ends[0])} to {_short(ends[1])}" if ends else "" if row.spread is None else f"± {_short(row.spread)}"
    )
    return _alone(row).append_text(Text(f"\n{said}" if said else "", style="dim"))


def _alone(row: "Result") -> "Text":
    from rich.text import Text

    return Text(_short(row.value or 0.0))


def _short(number: float) -> str:
    return f"{number:z.2f}"


def _print_map(console: "Console", evaluation: "Evaluation") -> None:
    from wembed.report.lookup import main_encoder
    from wembed.report.small_map import braille, letter, small_map

    draw = letter if console.no_color or console.color_system is None else braille
    found = small_map(evaluation.map, min(console.width, _WIDEST), _LINES, draw)
    title = f"{len(evaluation.map)} checkpoints as {main_encoder(evaluation)} sees them, by architecture"
    console.print(plain(title), style="bold", soft_wrap=True)
    for line in found.lines:
        console.print(_coloured(line), no_wrap=True)
    console.print(_legend(found, letter if draw is letter else _bullet, console.width))


def _coloured(line: "list[Sign]") -> "Text":
    from rich.text import Text

    text = Text()
    for sign in line:
        text.append(sign.text, style=_COLOURS[sign.kind] if sign.kind is not None else "")
    text.rstrip()
    return text


def _legend(found: "SmallMap", draw: "Draw", width: int) -> "Text":
    """The kinds, one after the other, as many in a line as fit."""
    from rich.text import Text

    from wembed.report.small_map import OTHERS

    entries = [(place, plain(name), count) for place, (name, count) in enumerate(found.legend)]
    entries += [(OTHERS, "others", found.others)] if found.others else []
    text, used = Text(), 0
    for kind, name, count in entries:
        entry = Text.assemble((draw(0, kind), _COLOURS[kind]), f" {name} ({count})")
        gap = "" if not used else "\n" if used + 2 + entry.cell_len > width else "  "
        used = entry.cell_len + (used + 2 if gap == "  " else 0)
        text.append(gap).append_text(entry)
    return text.append(f"\n{found.outside} without a place are left out" if found.outside else "")


def _bullet(dots: int, kind: int) -> str:
    """What its colour says enough of."""
    return "●"
