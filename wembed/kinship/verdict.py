"""Two networks in; whether they are the same, derived from each other or unrelated, and why, out.

First the order of the neurons is tested, which needs no other network and is exact; then, for networks whose neurons
were shuffled, the likeness after matching is held against that of strangers. Initial weights that two networks share
make them kin; that they learned the same does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from wembed.encoder import Item
from wembed.kinship.fixed import fixed_tensors
from wembed.kinship.layers import LayerKinship, layer_table, mean_similarity
from wembed.kinship.matching import WIDEST, aligned, aligned_in_order
from wembed.kinship.order import OrderTest, order_test
from wembed.kinship.same import Network, are_same
from wembed.kinship.shared import LARGEST_MATCHED, Shared, are_of_one_structure, share
from wembed.kinship.strangers import FEWEST_STRANGERS, p_among
from wembed.merging.match import free_groups

LEVEL = 1e-3  # of a p-value, below which two networks are called derived
# After matching, where no strangers say what likeness means: independent networks of many architectures came to .55.
_SURELY_ALIKE = 0.9
_FEWEST_NEURONS = 16  # that were matched, for that to hold

_MOST_MATCHED = 10_000_000  # parameters of all strangers together: matching them takes half a minute

Verdict = Literal["same", "derived", "unrelated"]
Method = Literal["equal", "order", "order of unproven neurons", "strangers", "similarity", "none"]


@dataclass(frozen=True)
class Comparison:
    """What two networks are to each other.

    Args:
        verdict: the same up to symmetry and rounding; derived, one from the other or both from a third; or unrelated.
        p_value: how likely networks that were made independently look as much like kin; None where nothing was tested.
        method: how that was found; `similarity` where there was nothing to test against and they are as good as equal.
        strangers: how many other networks it rests on.
        similarity: mean cosine over layers after alignment, -1 to 1; None where nothing is shared.
        layers: what is shared, layer by layer, in the spec's order.
        notes: what was not done, and why, in words.
    """

    verdict: Verdict
    p_value: float | None
    method: Method
    strangers: int
    similarity: float | None
    layers: tuple[LayerKinship, ...]
    notes: tuple[str, ...] = ()


def compare(first: Item, second: Item, strangers: Sequence[Item], generator: np.random.Generator) -> Comparison:
    """What two networks are to each other.

    Args:
        first: a network.
        second: another.
        strangers: networks that are no kin of either; those of another structure are passed over.
        generator: draws reorderings.

    Raises:
        CheckpointRefusedError: a tensor that is not finite.
    """
    shared = share(first, second)
    fitting = [stranger for stranger in strangers if are_of_one_structure(first, stranger)]
    tested = order_test(shared, fixed_tensors(shared, [checkpoint for checkpoint, _ in fitting]), generator)
    layers = _layers(shared, tested, generator)
    if layers and are_same(*(Network((checkpoint, shared.spec)) for checkpoint, _ in (first, second))):
        layers = tuple(map(_as_same, layers))
        return Comparison("same", None, "equal", 0, mean_similarity(layers), layers)
    if _is_in_order(tested) or shared.matchable is None:
        return _by_order(tested, shared, layers)
    affordable = fitting[: _MOST_MATCHED // first[0].parameters]
    if len(affordable) < FEWEST_STRANGERS:
        return _without_strangers(tested, shared, layers, len(fitting))
    return _among_strangers((first, second), affordable, tested, layers, generator)


def why(first: Item, second: Item, generator: np.random.Generator) -> tuple[LayerKinship, ...]:
    """Which layers two networks share and which were retrained; none where they have no tensor in common."""
    shared = share(first, second)
    return _layers(shared, order_test(shared, fixed_tensors(shared, ()), generator), generator)


def _layers(shared: Shared, tested: OrderTest | None, generator: np.random.Generator) -> tuple[LayerKinship, ...]:
    if shared.matchable is None:
        return layer_table(shared, shared.first, shared.second)
    if _is_in_order(tested):
        moved = aligned_in_order(shared, shared.matchable)
    else:
        moved = aligned(shared, shared.matchable, generator)
    return layer_table(shared, shared.matchable.first.__getitem__, moved.__getitem__)


def _as_same(layer: LayerKinship) -> LayerKinship:
    """A layer of two equal networks; where heads mix their channels, no order of neurons shows that it is one."""
    if layer.identical:
        return layer
    return replace(layer, similarity=None if layer.similarity is None else 1.0, identical=True, change=0.0)


def _is_in_order(tested: OrderTest | None) -> bool:
    return tested is not None and tested.p_value < LEVEL


def _by_order(tested: OrderTest | None, shared: Shared, layers: tuple[LayerKinship, ...]) -> Comparison:
    similarity, notes = mean_similarity(layers), _notes(shared, layers)
    if tested is None:
        return Comparison("unrelated", None, "none", 0, similarity, layers, notes)
    method: Method = "order" if tested.is_proven else "order of unproven neurons"
    return Comparison(_verdict(tested.p_value), tested.p_value, method, 0, similarity, layers, notes)


def _without_strangers(
    tested: OrderTest | None, shared: Shared, layers: tuple[LayerKinship, ...], there: int
) -> Comparison:
    """The verdict without strangers, of which some may be there that are too large to be matched."""
    found = _by_order(tested, shared, layers)
    if there >= FEWEST_STRANGERS:
        most = f"{_MOST_MATCHED / 1e6:g} million parameters of them are at most"
        found = replace(found, notes=(*found.notes, f"{there} strangers are not matched: {most}"))
    matched = sum(shared.spec.sizes[group.atom] for group in free_groups(shared.spec))
    if matched < _FEWEST_NEURONS or found.similarity is None or found.similarity < _SURELY_ALIKE:
        return found
    none = "" if there >= FEWEST_STRANGERS else f"no {FEWEST_STRANGERS} strangers to test against: "
    said = f"{none}judged by the similarity after matching alone"
    return Comparison("derived", None, "similarity", 0, found.similarity, layers, (*found.notes, said))


def _among_strangers(
    pair: tuple[Item, Item],
    strangers: Sequence[Item],
    tested: OrderTest | None,
    layers: tuple[LayerKinship, ...],
    generator: np.random.Generator,
) -> Comparison:
    """The verdict that the likeness of both to strangers gives; the second's are left out where the first's decide."""
    similarity, p = mean_similarity(layers), 0.0
    for one in pair if similarity is not None else ():
        found = [mean_similarity(_layers(share(one, stranger), None, generator)) for stranger in strangers]
        p = max(p, p_among(similarity or 0.0, [other for other in found if other is not None]))
        if p >= LEVEL:
            break
    if tested:
        p = min(1.0, 2 * min(p, tested.p_value))  # two tests
    return Comparison(_verdict(p), p, "strangers", len(strangers), similarity, layers)


def _verdict(p_value: float) -> Verdict:
    return "derived" if p_value < LEVEL else "unrelated"


def _notes(shared: Shared, layers: tuple[LayerKinship, ...]) -> tuple[str, ...]:
    if not shared.names:
        return ("they have no tensor of one name and shape",)
    if shared.differing:
        return (f"{len(layers)} layers compared, {shared.differing} tensors are in one only or differ in shape",)
    if shared.matchable is None:
        large = f"more than {LARGEST_MATCHED // 1_000_000} million parameters"
        what = "stacked tensors" if shared.spec.stacks else large
        return (f"neurons of networks with {what} are not matched: compared in the order of the files",)
    groups = free_groups(shared.spec)
    if not groups:
        return ("no neurons are known to be interchangeable, see `wembed inspect`: only strangers could tell",)
    widest = max(shared.spec.sizes[group.atom] for group in groups)
    return (f"{widest} neurons are too many to match: compared in the order of the files",) if widest > WIDEST else ()
