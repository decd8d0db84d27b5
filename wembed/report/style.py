"""How figures look: an encoder has one colour in all of them, and what differs by colour differs by form as well.

The colours are those of Okabe and Ito ("Color Universal Design", 2008), which colour-blind readers can tell apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wembed.report.lookup import is_control

DPI = 150
INK = "#333333"
_PAD = 0.08  # inches around every panel
PALE = "#8C8C8C"

_BLUE, _ORANGE, _GREEN, _VERMILION, _PINK, _SKY, _YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442",
)  # fmt: skip
_OF_ENCODER = {
    "gnn": _BLUE,
    "fingerprint": _ORANGE,
    "stats": _GREEN,
    "mlp": _VERMILION,
    "pca-mlp": _PINK,
    "cosine": _SKY,
    "hyperparameters": "#555555",
    "pna": "#882255",
}
_OTHERS = ("#44AA99", "#999933", "#332288", "#AA4499", "#000000", "#117733")
_CONTROL = "#BBBBBB"
_OF_KIND = (_BLUE, _ORANGE, _GREEN, _VERMILION, _PINK, _SKY, "#555555", "#882255")
_MARKERS = ("o", "^", "s", "D", "v", "P", "X", "<", ">")
_RC = {
    "text.parse_math": False,  # names from files are text, dollar signs included
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 11,
    "axes.labelsize": 10,
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
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
}


@dataclass(frozen=True)
class Kind:
    """How one of many kinds of points looks.

    Args:
        face: colour inside.
        edge: colour of the rim.
    """

    face: str
    edge: str


@contextmanager
def styled() -> Iterator[None]:
    """Figures made inside look alike."""
    with rc_context(_RC):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that makes room for its titles, labels and legends by itself."""
    figure = Figure(figsize=(width, height), dpi=DPI)
    figure.set_layout_engine("constrained", w_pad=_PAD, h_pad=_PAD)
    return figure


def save_png(figure: Figure, path: Path) -> None:
    """Writes a figure; the file holds no time."""
    figure.savefig(path, format="png", dpi=DPI)


def encoder_colours(names: Sequence[str]) -> dict[str, str]:
    """The colour of every encoder and baseline; one that isn't known gets one by its place among its like."""
    strangers = sorted({name for name in names if name not in _OF_ENCODER and not is_control(name)})
    colours = {name: _OTHERS[place % len(_OTHERS)] for place, name in enumerate(strangers)}
    colours |= {name: _CONTROL for name in names if is_control(name)}
    return colours | {name: _OF_ENCODER[name] for name in names if name in _OF_ENCODER}


def kinds(names: Sequence[str]) -> dict[str, Kind]:
    """A look for each of up to 24 kinds: eight colours, each full, hollow, or with a dark rim."""
    looks = {}
    for place, name in enumerate(names):
        colour, turn = _OF_KIND[place % len(_OF_KIND)], place // len(_OF_KIND) % 3
        looks[name] = (Kind(colour, "white"), Kind("white", colour), Kind(colour, "black"))[turn]
    return looks


def markers(names: Sequence[str]) -> dict[str, str]:
    """A form for each data set."""
    return {name: _MARKERS[place % len(_MARKERS)] for place, name in enumerate(names)}


def dot(label: str, marker: str, face: str, edge: str) -> Line2D:
    """An entry of a legend of points."""
    return Line2D([], [], linestyle="", marker=marker, markerfacecolor=face, markeredgecolor=edge, label=label)


def headed_legend(figure: Figure, groups: Mapping[str, Sequence[Line2D]]) -> None:
    """One legend right of the data, of several groups with a heading each."""
    entries: list[Line2D] = []
    for title, members in groups.items():
        entries += [*([_blank(" ")] if entries else []), _blank(title), *members]
    for text in figure.legend(handles=entries, loc="outside right upper").get_texts():
        text.set_fontweight("bold" if text.get_text() in groups else "normal")


def _blank(label: str) -> Line2D:
    return Line2D([], [], linestyle="", marker="", label=label)


def no_ticks(axes: Axes) -> None:
    """For places that have no unit."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
