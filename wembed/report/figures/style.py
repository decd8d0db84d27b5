"""How figures look: an encoder has one colour, mark and line in all of them, and no two things differ by colour alone.

The colours are those of Okabe and Ito ("Color Universal Design", 2008), which colour-blind readers can tell apart.
Every figure is as wide as the text of a page, so that its letters have the size that they were set in.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from wembed.report.lookup import is_control
from wembed.report.words import short

PAGE = 7.0  # inches: the text of a page
DPI = 300
INK = "#333333"
PALE = "#8C8C8C"
SMALL = 7.5  # points of numbers beside bars
_PAD = 0.05  # inches around every panel
_MOST_COLUMNS = 3  # of panels
_LONG_LABEL = 40  # of an entry of a legend

_BLUE, _ORANGE, _GREEN, _VERMILION, _PINK, _SKY, _YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442",
)  # fmt: skip
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", ">")
_MORE_MARKERS = ("p", "*", "h", "d", "8")  # less unlike each other
_KNOWN = ("gnn", "fingerprint", "stats", "mlp", "pca-mlp", "cosine", "hyperparameters", "pna")
_COLOURS = (_BLUE, _ORANGE, _GREEN, _VERMILION, _PINK, _SKY, "#555555", "#882255")
_OTHERS = ("#44AA99", "#999933", "#332288", "#AA4499", "#000000", "#117733", "#661100")
_CONTROL = "#BBBBBB"
_RC = {
    "text.parse_math": False,  # names from files are text, dollar signs included
    "svg.hashsalt": "wembed",  # else every file has ids of its own
    "font.size": 8.5,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "figure.titlesize": 9.5,
    "figure.facecolor": "white",
}


@dataclass(frozen=True)
class Kind:
    """How one of many kinds of points looks.

    Args:
        face: colour inside.
        edge: colour of the rim.
        marker: its form.
    """

    face: str
    edge: str
    marker: str


@dataclass(frozen=True)
class Look:
    """How an encoder or baseline looks.

    Args:
        colour: of its lines, points and bars.
        marker: form of its points.
        dashes: of its lines, as matplotlib takes them.
    """

    colour: str
    marker: str
    dashes: str | tuple[int, tuple[int, ...]]


@contextmanager
def styled() -> Iterator[None]:
    """Figures made and saved inside look alike."""
    with rc_context(_RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)  # drawn as a box
        yield


def new_figure(height: float) -> Figure:
    """An empty figure, as wide as a page and `height` inches high, that makes room for its labels by itself."""
    figure = Figure(figsize=(PAGE, height), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=_PAD, h_pad=_PAD)
    return figure


def save_png(figure: Figure, path: Path) -> None:
    """Writes a figure as pixels; the file holds no time."""
    figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})


def save_svg(figure: Figure, path: Path) -> None:
    """Writes a figure as vectors; the file holds no time."""
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def encoder_looks(names: Sequence[str]) -> dict[str, Look]:
    """The look of every encoder and baseline; one that isn't known gets one by its place among its like."""
    strangers = sorted({name for name in names if name not in _KNOWN and not is_control(name)})
    looks = {name: _look(_OTHERS, place, len(_KNOWN) + place) for place, name in enumerate(strangers)}
    looks |= {name: Look(_CONTROL, "x", ":") for name in names if is_control(name)}
    return looks | {name: _look(_COLOURS, place, place) for place, name in enumerate(_KNOWN) if name in names}


def kinds(names: Sequence[str]) -> dict[str, Kind]:
    """A look for each of up to 27 kinds: nine forms, each full, hollow, or with a dark rim."""
    looks = {}
    for place, name in enumerate(names):
        colour, marker = _COLOURS[place % len(_COLOURS)], _MARKERS[place % len(_MARKERS)]
        turn = place // len(_MARKERS) % 3
        looks[name] = (Kind(colour, "white", marker), Kind("white", colour, marker), Kind(colour, "black", marker))[
            turn
        ]
    return looks


def markers(names: Sequence[str]) -> dict[str, str]:
    """A form for each data set."""
    forms = (*_MARKERS, *_MORE_MARKERS)
    return {name: forms[place % len(forms)] for place, name in enumerate(names)}


def dot(label: str, marker: str, face: str, edge: str) -> Line2D:
    """An entry of a legend of points."""
    shown = short(label, _LONG_LABEL) or "unknown"
    return Line2D(
        [], [], linestyle="", marker=marker, markersize=5, markerfacecolor=face, markeredgecolor=edge, label=shown
    )


def headed_legend(figure: Figure, groups: Mapping[str, Sequence[Line2D]]) -> None:
    """One legend right of the data, of several groups with a heading each."""
    entries: list[Line2D] = []
    for title, members in groups.items():
        entries += [*([_blank(" ")] if entries else []), _blank(title), *members]
    for text in figure.legend(handles=entries, loc="outside right upper").get_texts():
        text.set_fontweight("bold" if text.get_text() in groups else "normal")


def plain_powers(axis: Axis) -> None:
    """Numbers along a logarithmic scale as plain text, since no text is taken for formulas."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def columns_of(count: int) -> int:
    """In how many columns so many panels stand."""
    return 2 if count in (2, 4) else min(count, _MOST_COLUMNS)


def no_ticks(axes: Axes) -> None:
    """For places that have no unit."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)


def _look(colours: Sequence[str], place: int, form: int) -> Look:
    return Look(colours[place % len(colours)], _MARKERS[form % len(_MARKERS)], _DASHES[form % len(_DASHES)])


def _blank(label: str) -> Line2D:
    return Line2D([], [], linestyle="", marker="", label=label)
