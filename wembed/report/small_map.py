"""Points of a map and a size in characters in; lines of signs out, each with the kind that is most often there.

Braille signs hold two by four dots each and need colours to tell kinds apart; where there are none, letters tell them.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wembed.evaluate.results import MapPoint

MOST_KINDS = 8  # that are told apart; what is left are others
OTHERS = MOST_KINDS
_LETTERS = "ABCDEFGH·"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a Braille sign, by line and column
_BRAILLE = 0x2800
_WIDE, _HIGH = 2, 4  # dots of a sign

Draw = Callable[[int, int], str]  # the dots of a sign and its kind -> the sign


@dataclass(frozen=True)
class Sign:
    """One character of the map.

    Args:
        text: a blank where no point is.
        kind: place in the legend of what is most often there, OTHERS for what has none; None for a blank.
    """

    text: str
    kind: int | None = None


@dataclass(frozen=True)
class SmallMap:
    """A map of characters.

    Args:
        lines: from top to bottom.
        legend: the kinds with how many points each has, the commonest first.
        others: how many points are of other kinds.
        outside: how many points have no finite place.
    """

    lines: list[list[Sign]]
    legend: list[tuple[str, int]]
    others: int
    outside: int


def small_map(points: Sequence[MapPoint], width: int, height: int, draw: Draw) -> SmallMap:
    """Draws points by architecture.

    Args:
        points: of the map.
        width: in characters.
        height: in lines.
        draw: `braille`, or `letter` where there are no colours.
    """
    known = [point for point in points if math.isfinite(point.x) and math.isfinite(point.y)]
    counts = Counter(point.architecture or "unknown" for point in known)
    legend = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_KINDS]
    kinds = {name: place for place, (name, _) in enumerate(legend)}
    cells: dict[tuple[int, int], list[tuple[int, int]]] = {}  # place of a sign -> (dots, kind) of its points
    for point, x, y in zip(known, *_spread(known, width * _WIDE, height * _HIGH), strict=True):
        dot = _DOTS[y % _HIGH][x % _WIDE]
        kind = kinds.get(point.architecture or "unknown", OTHERS)
        cells.setdefault((y // _HIGH, x // _WIDE), []).append((dot, kind))
    lines = [[_sign(cells.get((line, column), []), draw) for column in range(width)] for line in range(height)]
    return SmallMap(lines, legend, len(known) - sum(count for _, count in legend), len(points) - len(known))


def braille(dots: int, kind: int) -> str:
    """A dot for each point."""
    return chr(_BRAILLE | dots)


def letter(dots: int, kind: int) -> str:
    """What stands for a kind."""
    return _LETTERS[kind]


def _sign(points: Sequence[tuple[int, int]], draw: Draw) -> Sign:
    if not points:
        return Sign(" ")
    kind = min(Counter(kind for _, kind in points).items(), key=lambda entry: (-entry[1], entry[0]))[0]
    dots = 0
    for dot, _ in points:
        dots |= dot
    return Sign(draw(dots, kind), kind)


def _spread(points: Sequence[MapPoint], width: int, height: int) -> tuple[list[int], list[int]]:
    """The dots that points fall on: x from the left, y from above."""
    across, upwards = [point.x for point in points], [point.y for point in points]
    return _dots(across, width), [height - 1 - dot for dot in _dots(upwards, height)]


def _dots(values: Sequence[float], count: int) -> list[int]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    step = (high - low) / (count - 1) or 1.0
    return [round((value - low) / step) for value in values]
