"""Numbers in; the phrases that sentences are made of out."""

import math
from collections.abc import Sequence

from wembed.evaluate.results import Result
from wembed.report.lookup import HELD_OUT, TEST, ZERO_SHOT, is_of_some

LEVEL = 2.0  # standard errors of a difference, below which two numbers are called level
SAME = 0.0005  # numbers that three decimals do not tell apart


def share_error(share: float, n: int) -> float:
    """The standard error of a share of n independent cases, Wilson's, which is not 0 at a share of 0 or 1."""
    return math.sqrt(share * (1 - share) / n + 1 / (4 * n * n)) / (1 + 1 / n)


def error_of(row: Result) -> float:
    """An error that is not 0, which runs that all do alike would give."""
    spread = row.spread / math.sqrt(row.seeds) if row.spread else None
    return row.error or spread or share_error(row.value or 0.0, row.n)


def percent(row: Result) -> str:
    """A share, with its interval or its error."""
    value = f"{100 * (row.value or 0.0):.1f} %"
    if row.low is not None and row.high is not None:
        return f"{value} ({100 * row.low:.1f} to {100 * row.high:.1f})"
    if row.error is None and row.spread is not None:
        return f"{value} (± {100 * row.spread:.1f} over {row.seeds} seeds)"
    return f"{value} (± {100 * error_of(row):.1f})"


def with_error(row: Result) -> str:
    """A number, with its interval or its error."""
    value = f"{row.value:.3f}"
    if row.low is not None and row.high is not None:
        return f"{value} ({row.low:.3f} to {row.high:.3f})"
    if row.error is None and row.spread is not None:
        return f"{value} (± {row.spread:.3f} over {row.seeds} seeds)"
    return value if row.error is None else f"{value} (± {row.error:.3f})"


def where(split: str) -> str:
    """A split, as a sentence begins with it."""
    label = split.partition(":")[2]
    if split == TEST:
        return "Over all architectures"
    if split == ZERO_SHOT:
        return "On a data set that no training network saw"
    if split.startswith(HELD_OUT):
        return f"On the part held out as {split.removeprefix(HELD_OUT).strip()}"
    if is_of_some(split):
        return f"On a sample of {label.rpartition('/')[0]}"
    return f"Among {label} only"


def joined(parts: Sequence[str]) -> str:
    """a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
