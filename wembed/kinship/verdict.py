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
from wembed.kinship.beside import aligned_layers, hold, is_in_order
from wembed.kinship.fixed import fixed_tensors
from wembed.kinship.layers import LayerKinship, mean_similarity
from wembed.kinship.matching import WIDEST
from wembed.kinship.order import OrderTest, order_test
from wembed.kinship.same import Network, are_same
from wembed.kinship.shared import LARGEST_MATCHED, Shared, are_of_one_structure, share
from wembed.kinship.strangers import FEWEST_STRANGERS, LEVEL, SURELY_ALIKE, p_among
from wembed.merging.matching.groups import free_groups

_FEWEST_NEURONS = 16  # that were matched, for likeness without strangers to say anything
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


def compare(
    first: Item, second: Item, strangers: Sequence[Item], generator: np.random.Generator, others: Sequence[Item] = ()
) -> Comparison:
    """What two networks are to each other.

    Args:
        first: a network.
        second: another.
        strangers: networks that learned from the same data and are not known to be kin of either; those of another
            structure are passed over.
        generator: draws reorderings.
        others: networks of no kin that learned from other data: what they have in common with the pair was set.

    Raises:
        CheckpointRefusedError: a tensor that is not finite.
    """
    shared = share(first, second)
    fitting = [stranger for stranger in strangers if are_of_one_structure(first, stranger)]
    tested = order_test(shared, fixed_tensors(shared, [checkpoint for checkpoint, _ in (*fitting, *others)]), generator)
    layers = aligned_layers(shared, tested, generator)
    if layers and are_same(*(Network((checkpoint, shared.spec)) for checkpoint, _ in (first, second))):
        layers = tuple(map(_as_same, layers))
        return Comparison("same", None, "equal", 0, mean_similarity(layers), layers)
    if is_in_order(tested) or shared.matchable is None:
        return _by_order(tested, shared, layers)
    affordable = fitting[: _MOST_MATCHED // first[0].parameters]
    if mean_similarity(layers) is None:
        return _by_order(tested, shared, layers)
    if len(affordable) < FEWEST_STRANGERS:
        return _without_strangers(tested, shared, layers, _uncounted(fitting, others))
    found = _among_strangers((first, second), affordable, tested, layers, generator)
    if found.strangers < FEWEST_STRANGERS:
        return _without_strangers(tested, shared, layers, found.notes)
    return found


def why(first: Item, second: Item, generator: np.random.Generator) -> tuple[LayerKinship, ...]:
    """Which layers two networks share and which were retrained; none where they have no tensor in common."""
    shared = share(first, second)
    return aligned_layers(shared, order_test(shared, fixed_tensors(shared, ()), generator), generator)


def _as_same(layer: LayerKinship) -> LayerKinship:
    """A layer of two equal networks; where heads mix their channels, no order of neurons shows that it is one."""
    if layer.identical:
        return layer
    return replace(layer, similarity=None if layer.similarity is None else 1.0, identical=True, change=0.0)


def _by_order(tested: OrderTest | None, shared: Shared, layers: tuple[LayerKinship, ...]) -> Comparison:
    similarity, notes = mean_similarity(layers), _notes(shared, layers)
    if tested is None:
        return Comparison("unrelated", None, "none", 0, similarity, layers, notes)
    method: Method = "order" if tested.is_proven else "order of unproven neurons"
    return Comparison(_verdict(tested.p_value), tested.p_value, method, 0, similarity, layers, notes)


def _uncounted(fitting: Sequence[Item], others: Sequence[Item]) -> tuple[str, ...]:
    """Why there are no strangers, of which some may be too large to be matched."""
    if len(fitting) >= FEWEST_STRANGERS:
        most = f"{_MOST_MATCHED / 1e6:g} million parameters of them are at most"
        return (f"{len(fitting)} strangers are not matched: {most}",)
    if others:
        what = "are not known to have learned from the data set of the pair"
        return (f"{len(others)} networks of their structure do not count as strangers: they {what}",)
    return ()


def _without_strangers(
    tested: OrderTest | None, shared: Shared, layers: tuple[LayerKinship, ...], reasons: tuple[str, ...]
) -> Comparison:
    """The verdict without strangers, of which there are none or which do not count for some reasons."""
    found = _by_order(tested, shared, layers)
    found = replace(found, notes=(*found.notes, *reasons))
    matched = sum(shared.spec.sizes[group.atom] for group in free_groups(shared.spec))
    if matched < _FEWEST_NEURONS or found.similarity is None or found.similarity < SURELY_ALIKE:
        return found
    none = "" if reasons else f"no {FEWEST_STRANGERS} strangers to test against: "
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
    similarity, p, kin, count = mean_similarity(layers) or 0.0, 0.0, 0, len(strangers)
    for one in pair:
        held = hold(one, strangers, generator)
        kin, count = max(kin, held.kin), min(count, len(held.similarities))
        p = max(p, p_among(similarity, held.similarities))
        if p >= LEVEL:
            break
    if tested:
        p = min(1.0, 2 * min(p, tested.p_value))  # two tests
    notes = (f"strangers that turned out to be kin of the pair and do not count: {kin}",) if kin else ()
    return Comparison(_verdict(p), p, "strangers", count, similarity, layers, notes)


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
