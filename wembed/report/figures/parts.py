"""Parts of the zoo that no part of a predictor saw: how well accuracy is ordered on each, by encoder and baseline."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wembed.evaluate.results import Evaluation, Result
from wembed.report.figures.style import INK, PALE, Look, encoder_looks, new_figure
from wembed.report.lookup import (
    HELD_OUT,
    bare,
    best,
    is_control,
    main_encoder,
    names,
    splits,
    whisker_words,
    whiskers,
)
from wembed.report.words import short

METRIC = "tau/tau_max"
_MOST = 6  # encoders and baselines: more can't be told apart in one line
_LINE = 0.13  # inches of a mark
_LEGEND = 4  # names in a line of the legend
_SEEN = "hollow: trained on such networks"
_SHOWN = 34  # characters of a part's name


def held_out_rows(evaluation: Evaluation) -> list[Result]:
    """The rows on parts that were held out on purpose, beyond single runs."""
    return [row for row in evaluation.results if row.split.startswith(HELD_OUT) and row.target in ("", "accuracy")]


def held_out(evaluation: Evaluation) -> Figure:
    """A line per part, a mark per encoder or baseline: the main one, and those that are best on average."""
    rows = [row for row in held_out_rows(evaluation) if row.metric == METRIC and row.value is not None]
    shown, parts = _chosen(rows, main_encoder(evaluation)), splits(rows)
    looks = encoder_looks(shown)
    height = _LINE * len(shown) + 0.12
    figure = new_figure(1.2 + height * len(parts))
    axes = figure.subplots()
    for place, part in enumerate(parts):
        found = {bare(row.encoder): row for row in rows if row.split == part}
        for number, name in enumerate(name for name in shown if name in found):
            y = place + (number - (len(shown) - 1) / 2) * _LINE / height
            _mark(axes, y, found[name], looks[name])
    for place in range(1, len(parts)):
        axes.axhline(place - 0.5, color="#E6E6E6", linewidth=0.7)
    axes.set_yticks(range(len(parts)), [_part(part) for part in parts])
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color=PALE, linewidth=0.8)
    ends = [end for row in rows if bare(row.encoder) in shown for end in (row.value or 0.0, *(whiskers(row) or ()))]
    axes.set_xlim(min([-0.05, *ends]) - 0.02, max([1.0, *ends]) + 0.02)
    axes.set_xlabel(f"tau / tau max;  lines: {whisker_words(evaluation)}")
    axes.set_title("Order of accuracy on parts of the zoo that were held out")
    entries = [_entry(name, looks[name]) for name in shown]
    seen = any(row.encoder != bare(row.encoder) for row in rows)
    hollow = Line2D([], [], linestyle="", marker="o", markersize=5, color="white", markeredgecolor=INK, label=_SEEN)
    entries += [hollow] if seen else []
    figure.legend(handles=entries, loc="outside lower center", ncols=_LEGEND)
    return figure


def _part(split: str) -> str:
    """What was held out, as it stands beside a line."""
    return short((split.partition(" ")[2] or split).replace(":", ": "), _SHOWN)


def _chosen(rows: list[Result], main: str) -> list[str]:
    """The main encoder first, then those that come best on most parts."""
    wins = [
        bare(found.encoder) for part in splits(rows) if (found := best((r for r in rows if r.split == part), METRIC))
    ]
    everyone = list(dict.fromkeys(map(bare, names(rows))))
    others = [name for name in everyone if name != main and not is_control(name)]
    ordered = sorted(others, key=lambda name: (-wins.count(name), others.index(name)))
    return [*([main] if main in everyone else []), *ordered][:_MOST]


def _mark(axes: Axes, y: float, row: Result, look: Look) -> None:
    reach = whiskers(row)
    if reach:
        axes.hlines(y, *reach, color=look.colour, linewidth=1.0)
    colours = (look.colour, "white") if row.encoder == bare(row.encoder) else ("white", look.colour)
    axes.plot(
        row.value or 0.0, y, marker=look.marker, markersize=4.5, color=colours[0], markeredgecolor=colours[1],
        markeredgewidth=0.7,
    )  # fmt: skip


def _entry(name: str, look: Look) -> Line2D:
    return Line2D([], [], linestyle="", marker=look.marker, markersize=5, color=look.colour, label=short(name))
