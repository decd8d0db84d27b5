"""Where things stand in a network's data flow, and which heads belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wembed.symmetry import CanonicalView
from wembed.symmetry.action.channels import Channels


@dataclass(frozen=True)
class HeadLink:
    """Two groups whose nodes lie in the same heads: what is queried and what is carried on, say.

    Args:
        source: group name; it is written first.
        target: group name.
        heads: number of heads H.
        of_source: the head of each source node, [S].
        of_target: the head of each target node, [T].
        before: the number of the block that must find the target linked.
    """

    source: str
    target: str
    heads: int
    of_source: NDArray[np.intp]
    of_target: NDArray[np.intp]
    before: int


def depths(layers: Sequence[tuple[str, str, str]]) -> dict[str, float]:
    """Layer name -> how far along its own network it stands, 0 to 1; .5 where there is one step only.

    A stream that is written many times is further along after each of them.

    Args:
        layers: name, source group, target group, in data-flow order.
    """
    level: dict[str, int] = {}  # of a group, as far as it is written
    steps: dict[str, int] = {}
    parts = _Parts()
    for name, source, target in layers:
        steps[name] = level.get(source, 0)
        level[target] = max(level.get(target, 0), steps[name] + 1)
        parts.join(source, target)
    last: dict[str, int] = {}
    for name, source, _ in layers:
        part = parts.of(source)
        last[part] = max(last.get(part, 0), steps[name])
    lengths = {name: last[parts.of(source)] for name, source, _ in layers}
    return {name: steps[name] / length if length else 0.5 for name, length in lengths.items()}


class _Parts:
    """Groups that hang together, each part known by one of its groups."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def of(self, group: str) -> str:
        while (parent := self._parents.setdefault(group, group)) != group:
            group = parent
        return group

    def join(self, one: str, other: str) -> None:
        self._parents[self.of(one)] = self.of(other)


def head_links(
    view: CanonicalView, names: Mapping[str, str], blocks: Sequence[tuple[str, str]]
) -> tuple[HeadLink, ...]:
    """The pairs of groups that share a head, each linked before the later one is read.

    Args:
        view: the canonical view.
        names: site -> group.
        blocks: source and target group of every block, in data-flow order.
    """
    channels = {names[site]: view.flow.channels[site] for site in view.sites}
    heads = {name: tuple(a for a in own.atoms if view.spec.atoms[a].kind == "head") for name, own in channels.items()}
    written: dict[str, int] = {}
    read: dict[str, int] = {}
    for number, (source, target) in enumerate(blocks):
        written.setdefault(target, number)
        read.setdefault(source, number)
    order = [name for name in sorted(written, key=written.__getitem__) if heads[name]]
    links = []
    for place, target in enumerate(order):
        for source in order[:place]:
            shared = tuple(atom for atom in heads[source] if atom in heads[target])
            if shared:
                of_source, of_target = (_numbers(channels[name], shared) for name in (source, target))
                count = int(of_source.max(initial=-1)) + 1
                links.append(HeadLink(source, target, count, of_source, of_target, read.get(target, len(blocks))))
    return tuple(links)


def _numbers(channels: Channels, atoms: Sequence[str]) -> NDArray[np.intp]:
    """The number of each channel by some of its atoms, [N]."""
    grid = np.indices(channels.shape).reshape(len(channels.shape), -1)
    numbers = np.zeros(channels.size, dtype=np.intp)
    for atom in atoms:
        place = channels.atoms.index(atom)
        numbers = numbers * channels.shape[place] + grid[place]
    return numbers
