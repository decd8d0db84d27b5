"""A path in; its barriers, its curves in a line of text, and its figure out."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wembed.cli.output import Output
from wembed.cli.output_file import check_output_file
from wembed.errors import UsageError, WembedError

if TYPE_CHECKING:
    from wembed.merging import PathCurve

_BARS = "▁▂▃▄▅▆▇█"
_WIDEST = 60  # characters of a line of bars


def note_curve(output: Output, curve: "PathCurve", dataset: str) -> None:
    """Says how high the barriers are; beside a table for people, the accuracies as bars, too."""
    repaired = curve.repaired_barrier
    beside = "" if repaired is None else f"naive and repaired {repaired:.3f}, "
    barriers = f"naive {curve.naive_barrier:.3f}, {beside}aligned {curve.aligned_barrier:.3f}"
    output.note(f"loss barrier on {dataset}: {barriers}")
    if output.format != "table" or not _can_show(_BARS):
        return
    lines = {name: [getattr(point, f"{name}_accuracy") for point in curve.points] for name in ("naive", "aligned")}
    least, most = min(map(min, lines.values())), max(map(max, lines.values()))
    drawn = ", ".join(f"{name} {bars(values, least, most)}" for name, values in lines.items())
    output.note(f"accuracy from {least:.3f} to {most:.3f}: {drawn}")


def bars(values: Sequence[float], least: float, most: float) -> str:
    """Values as bars in a line, of many as many as fit; the lowest bar stands for `least`, the highest for `most`."""
    count = min(len(values), _WIDEST)
    shown = [values[round(place * (len(values) - 1) / max(1, count - 1))] for place in range(count)]
    size = (most - least) or 1.0
    return "".join(_BARS[round((value - least) / size * (len(_BARS) - 1))] for value in shown)


def check_plot(place: Path | None) -> None:
    """Refuses a place for a figure before any work.

    Raises:
        UsageError: it is no name of a PNG, or something is there.
        NotFoundError: the folder is missing.
        WembedError: nobody may write there.
    """
    if place is None:
        return
    if place.suffix.lower() != ".png":
        raise UsageError(f"--plot {place}: expected a name that ends in .png")
    if place.exists() or place.is_symlink():
        raise UsageError(f"{place} exists already, and nothing is written over it", "give --plot another name")
    check_output_file(place, "--plot")


def save_plot(output: Output, curve: "PathCurve", title: str, place: Path | None) -> None:
    """Draws a path where a figure is asked for.

    Raises:
        WembedError: the file cannot be written.
    """
    if place is None:
        return
    from wembed.report.figures.path import save_path

    try:
        save_path(curve, title, place)
    except OSError as error:
        place.unlink(missing_ok=True)
        raise WembedError(f"{place} can't be written: {error.strerror or error}") from error
    output.note(f"wrote {place}")


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stderr.encoding or "ascii")
    except UnicodeError:
        return False
    return True
