"""A zoo in; the parts that predictors are refitted without, and who may be measured on them, out.

A part is an architecture family, a data set, or the narrowest or widest networks. The regression sees nothing of a
part; an encoder that was trained on networks of it did, and is marked.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from wembed.catalog import CatalogRow
from wembed.evaluate.material import Mask, Material, run_of
from wembed.evaluate.prediction.baselines import KNOWN_BEFORE, hidden_widths
from wembed.prediction import architecture_family

HELD_OUT = "held-out"
HEAD_ONLY = "(head only)"  # stands after the name of an encoder that was trained on networks of the part
UNTRAINED = frozenset({"fingerprint", "stats", "cosine", *KNOWN_BEFORE})
_LEAST_TESTED = 20  # test checkpoints of a part
_LEAST_LEFT = 0.2  # share of the training checkpoints that must be left to fit on
_MOST_PARTS = 4  # of one kind, those with the most test checkpoints


@dataclass(frozen=True)
class Part:
    """What is held out.

    Args:
        split: what its test checkpoints are called, such as held-out architecture:cnn.
        inside: which checkpoints are of it, [N].
    """

    split: str
    inside: Mask


def parts(material: Material) -> Iterator[Part]:
    """The parts that are large enough to measure on, and leave enough to fit on."""
    for kind, find in _KINDS.items():
        labels = np.array([find(row) for row in material.rows])
        tested = Counter(labels[material.side("test")].tolist())
        names = [name for name, count in tested.most_common() if name and count >= _LEAST_TESTED]
        for name in (_ends(names) if kind == "width" else names)[:_MOST_PARTS]:
            inside = labels == name
            if (material.side("train") & ~inside).sum() >= _LEAST_LEFT * material.side("train").sum():
                yield Part(f"{HELD_OUT} {kind}:{name}", inside)


def name_on(part: Part, name: str, material: Material, trained_on: Mapping[str, frozenset[str]]) -> str:
    """What an encoder or baseline is called in the rows of a part: marked, unless it saw nothing of it.

    Args:
        part: that is held out.
        name: of the encoder or baseline.
        material: the zoo.
        trained_on: encoder -> the runs that it was trained on; one that is not there is taken to have seen all.
    """
    if name in UNTRAINED:
        return name
    runs = {run_of(row): False for row in material.rows}
    runs |= {run_of(material.rows[place]): True for place in np.flatnonzero(part.inside)}
    is_clean = name in trained_on and not any(runs.get(run, True) for run in trained_on[name])
    return name if is_clean else f"{name} {HEAD_ONLY}"


def _ends(names: list[str]) -> list[str]:
    """The narrowest and the widest."""
    ordered = sorted(names, key=int)
    return list(dict.fromkeys([*ordered[:1], *ordered[-1:]])) if len(ordered) > 1 else []


def _width(row: CatalogRow) -> str:
    widths = hidden_widths(row)
    return str(max(widths)) if widths else ""


_KINDS: Mapping[str, Callable[[CatalogRow], str]] = {
    "architecture": lambda row: architecture_family(row) or "",
    "width": _width,
    "dataset": lambda row: row.dataset or "",
}
