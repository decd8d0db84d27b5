"""Labels and inputs as people have them in; what a classifier can be trained on, or the reason why not, out."""

import numpy as np
from numpy.typing import NDArray

from wembed.errors import CheckpointRefusedError

_FEWEST_ROWS = 50
_MOST_CLASSES = 1000
_FEWEST_PER_CLASS = 5  # on average: fewer is a number or a name of the row


def numbered(labels: NDArray[np.generic], where: str) -> NDArray[np.int64]:
    """Numbers the classes, 0 to classes - 1, in sorted order.

    Args:
        labels: [N] whole numbers, truth values or texts; [N, 1] will do.
        where: file and column, for messages.

    Raises:
        CheckpointRefusedError: too few rows, one class, too many classes, or values that are no classes.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise CheckpointRefusedError(f"{where}: one label for each row is expected, found shape {labels.shape}")
    if len(labels) < _FEWEST_ROWS:
        raise CheckpointRefusedError(f"{where}: {len(labels)} rows, at least {_FEWEST_ROWS} are needed")
    _check_values(labels, where)
    classes, numbers = np.unique(labels, return_inverse=True)
    most = min(_MOST_CLASSES, len(labels) // _FEWEST_PER_CLASS)
    if len(classes) < 2:
        raise CheckpointRefusedError(f"{where}: only one class, {classes[0]!s}")
    if len(classes) > most:
        raise CheckpointRefusedError(
            f"{where}: {len(classes):,} classes in {len(labels):,} rows, at most {most:,} are possible",
            "is that the column of the labels?",
        )
    return np.asarray(numbers, np.int64)


def check_finite(inputs: NDArray[np.floating], where: str) -> None:
    """Refuses inputs [N, F] that aren't finite.

    Raises:
        CheckpointRefusedError: says how many, and where the first one is.
    """
    bad = np.argwhere(~np.isfinite(inputs))
    if len(bad):
        first = ", ".join(str(place) for place in bad[0])
        raise CheckpointRefusedError(f"{where}: {len(bad):,} values are not finite, the first at [{first}]")


def _check_values(labels: NDArray[np.generic], where: str) -> None:
    if labels.dtype.kind in "biuUSO":
        return
    if labels.dtype.kind != "f":
        raise CheckpointRefusedError(f"{where}: labels of type {labels.dtype}, expected whole numbers or texts")
    values = labels.astype(np.float64)
    odd = values[~np.isfinite(values) | (values != np.round(values))]
    if len(odd):
        what = f"{len(odd):,} labels are no whole numbers, the first is {odd[0]:g}"
        raise CheckpointRefusedError(f"{where}: {what}", "numbers to be predicted are no classes: cut them into some")
