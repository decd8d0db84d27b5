"""An evaluation in; a glance at it, as people read it on a terminal, out: the headline table and a small map."""

from typing import TYPE_CHECKING

from wembed.cli.text import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from wembed.evaluate import Evaluation, Result
    from wembed.report.headline import Headline
    from wembed.report.small_map import Draw, Sign, SmallMap

_COLUMN = 15  # characters of a column of numbers
_BLANK = "\u00a0"  # at which no line ends
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
        console.print(_table(evaluation, table, console.width))
        hidden = len(table.questions) - _fitting(table, console.width)
        if hidden:
            console.print(f"and {hidden} more, for which there is no room; see --json", style="dim", soft_wrap=True)
        console.print()
    if evaluation.map:
        _print_map(console, evaluation)


def _fitting(headline: "Headline", width: int) -> int:
    """How many columns there is room for, one at least."""
    names = max(len(_name(name)) for name in headline.encoders)
    return min(len(headline.questions), max(1, (width - names - 1) // _COLUMN))


def _table(evaluation: "Evaluation", headline: "Headline", width: int) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from wembed.report.lookup import main_encoder

    chosen = headline.questions[: _fitting(headline, width)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(Text("encoder"), no_wrap=True)
    for question in chosen:
        table.add_column(
            Text(f"{plain(question.head)}\n{plain(question.below)}"), justify="right", max_width=_COLUMN - 2
        )
    for name in headline.encoders:
        style = "bold" if name == main_encoder(evaluation) else ""
        cells = (_cell(question.answer(evaluation, name)) for question in chosen)
        table.add_row(Text(_name(name), style=style), *cells)
    return table


def _name(encoder: str) -> str:
    from wembed.report.words import short

    return short(plain(encoder))


def _cell(row: "Result | None") -> "Text":
    from rich.text import Text

    from wembed.report.lookup import interval

    if row is None or row.value is None:
        return Text("n/a", style="dim")
    ends = interval(row)
    beside = Text(f"\n{_short(ends[0])} to {_short(ends[1])}", style="dim") if ends else Text()
    return Text(_short(row.value)).append_text(beside)


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
    console.print(_legend(found, letter if draw is letter else _bullet))


def _coloured(line: "list[Sign]") -> "Text":
    from rich.text import Text

    text = Text()
    for sign in line:
        text.append(sign.text, style=_COLOURS[sign.kind] if sign.kind is not None else "")
    text.rstrip()
    return text


def _legend(found: "SmallMap", draw: "Draw") -> "Text":
    """The kinds, one after the other, as many in a line as fit."""
    from rich.text import Text

    from wembed.report.small_map import OTHERS

    entries = [(place, plain(name), count) for place, (name, count) in enumerate(found.legend)]
    entries += [(OTHERS, "others", found.others)] if found.others else []
    words = [
        Text.assemble((draw(0, kind), _COLOURS[kind]), f" {name} ({count})".replace(" ", _BLANK))
        for kind, name, count in entries
    ]
    outside = f"\n{found.outside} without a place are left out" if found.outside else ""
    return Text("  ").join(words).append(outside)


def _bullet(dots: int, kind: int) -> str:
    """What its colour says enough of."""
    return "●"
