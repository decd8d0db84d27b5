"""Lines in; out a chart of them as SVG with its legend and, folded away, its numbers as a table.

Colours, dashes and widths come from the page's styles, so that a chart follows the light or dark of the page.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wembed.report.page.text import brief, escaped, shown

LOOKS = 16  # as many lines differ from each other, without their colours too: four marks, each with four dashes
_WIDTH, _HEIGHT = 380, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 10, 40
_STEPS = 4  # from tick to tick, of a scale that names none
_MOST_DOTS = 24  # more would hide the line
_MARKERS = (
    '<circle r="3.1"/>',
    '<path d="M0-4 3.8 3H-3.8Z"/>',
    '<path d="M-2.9-2.9H2.9V2.9H-2.9Z"/>',
    '<path d="M0-4.2 4.2 0 0 4.2-4.2 0Z"/>',
)


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Args:
        name: what the legend says.
        x: places, ascending.
        y: heights; a gap where one is not a number.
        look: its colour and form, see LOOKS.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    look: int


@dataclass(frozen=True)
class Scale:
    """An axis.

    Args:
        label: what it shows.
        low: where it starts.
        high: where it ends.
        ticks: where it is labelled.
        logarithmic: whether equal steps are equal factors.
    """

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """How far along the axis a value is, 0 to 1."""
        if self.logarithmic:
            return math.log(value / self.low) / (math.log(self.high / self.low) or 1.0)
        return (value - self.low) / ((self.high - self.low) or 1.0)


@dataclass(frozen=True)
class Chart:
    """A chart.

    Args:
        title: what stands above it.
        x: the axis below.
        y: the axis at the left.
        lines: the data.
        diagonal: whether a thin line shows where both axes say the same.
        mark: where a thin upright line stands.
    """

    title: str
    x: Scale
    y: Scale
    lines: Sequence[Line]
    diagonal: bool = False
    mark: float | None = None


def shares(label: str) -> Scale:
    """An axis from 0 to 1."""
    return Scale(label, 0.0, 1.0, (0.0, 0.25, 0.5, 0.75, 1.0))


def spanning(label: str, values: Sequence[float]) -> Scale:
    """An axis that holds all values, from a round number to a round number."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    step = _round_up((high - low) / _STEPS or abs(high) or 1.0)
    start, end = math.floor(low / step) * step, math.ceil(high / step) * step
    end = end if end > start else start + step
    ticks = tuple(start + step * place for place in range(round((end - start) / step) + 1))
    return Scale(label, start, end, ticks)


def figure(chart: Chart) -> str:
    """The chart as an element of the page."""
    names = ", ".join(line.name for line in chart.lines)
    said = escaped(f"{chart.title}: {chart.y.label} by {chart.x.label}, lines: {names}")
    body = _axes(chart) + _guides(chart) + "".join(_line(chart, line) for line in chart.lines)
    return (
        f'<figure class="chart"><figcaption>{escaped(chart.title)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}">{body}</svg>'
        f"{_legend(chart)}{_numbers(chart)}</figure>"
    )


def _x(chart: Chart, value: float) -> float:
    return _LEFT + chart.x.share(value) * (_WIDTH - _LEFT - _RIGHT)


def _y(chart: Chart, value: float) -> float:
    return _HEIGHT - _BOTTOM - chart.y.share(value) * (_HEIGHT - _TOP - _BOTTOM)


def _axes(chart: Chart) -> str:
    parts = []
    for tick in chart.y.ticks:
        y = _y(chart, tick)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 7}" y="{y + 3.5:.1f}" text-anchor="end">{brief(tick)}</text>')
    for tick in chart.x.ticks:
        at = f'x="{_x(chart, tick):.1f}" y="{_HEIGHT - _BOTTOM + 16}"'
        parts.append(f'<text class="tick" {at} text-anchor="middle">{brief(tick)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    below = f'x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle"'
    upright = f'x="{-(_TOP + _HEIGHT - _BOTTOM) / 2}" y="11" text-anchor="middle" transform="rotate(-90)"'
    parts.append(f'<text class="label" {below}>{escaped(chart.x.label)}</text>')
    parts.append(f'<text class="label" {upright}>{escaped(chart.y.label)}</text>')
    return "".join(parts)


def _guides(chart: Chart) -> str:
    guides = ""
    if chart.diagonal:
        start, end = (f"{_x(chart, place):.1f} {_y(chart, place):.1f}" for place in (chart.x.low, chart.x.high))
        guides += f'<path class="guide" d="M{start}L{end}"/>'
    if chart.mark is not None:
        guides += f'<path class="guide" d="M{_x(chart, chart.mark):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>'
    return guides


def _line(chart: Chart, line: Line) -> str:
    points = [(x, y) for x, y in zip(line.x, line.y, strict=True)]
    path, after_gap, dots = "", True, ""
    for x, y in points:
        if not math.isfinite(y):
            after_gap = True
            continue
        at = f"{_x(chart, x):.1f} {_y(chart, y):.1f}"
        path += f"{'M' if after_gap else 'L'}{at}"
        after_gap = False
        said = escaped(f"{line.name}: {shown(y)} at {brief(x)}")
        dots += f'<g transform="translate({at})">{_marker(line)}<title>{said}</title></g>'
    shown_dots = dots if len(points) <= _MOST_DOTS else ""
    return f'<g class="{_classes(line)}"><path class="stroke" d="{path}"/>{shown_dots}</g>'


def _legend(chart: Chart) -> str:
    if len(chart.lines) < 2:  # the title says it
        return ""
    entries = "".join(f"<li>{_sample(line)}<bdi>{escaped(line.name)}</bdi></li>" for line in chart.lines)
    return f'<ul class="key-list">{entries}</ul>'


def _sample(line: Line) -> str:
    """A short piece of a line."""
    drawn = f'<path class="stroke" d="M1 6H27"/><g transform="translate(14 6)">{_marker(line)}</g>'
    return f'<svg viewBox="0 0 28 12" aria-hidden="true"><g class="{_classes(line)}">{drawn}</g></svg>'


def _numbers(chart: Chart) -> str:
    """The same as a table, a row per place."""
    places = sorted({x for line in chart.lines for x in line.x})
    heads = "".join(f'<th scope="col" class="number"><bdi>{escaped(line.name)}</bdi></th>' for line in chart.lines)
    known = [dict(zip(line.x, line.y, strict=True)) for line in chart.lines]
    rows = "".join(
        f'<tr><th scope="row" class="number">{brief(x)}</th>'
        + "".join(f'<td class="number">{shown(heights.get(x))}</td>' for heights in known)
        + "</tr>"
        for x in places
    )
    head = f'<thead><tr><th scope="col" class="number">{escaped(chart.x.label)}</th>{heads}</tr></thead>'
    table = f"<table>{head}<tbody>{rows}</tbody></table>"
    region = f'<div class="scroll" tabindex="0" role="region" aria-label="Numbers">{table}</div>'
    return f"<details><summary>Numbers</summary>{region}</details>"


def _classes(line: Line) -> str:
    look = line.look % LOOKS
    return f"line colour-{look % 8} dash-{look // len(_MARKERS)}"


def _marker(line: Line) -> str:
    return _MARKERS[line.look % len(_MARKERS)]


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= value * (1 - 1e-9))
