import numpy as np
import pytest

from wembed.checkpoint import in_memory
from wembed.encoder import Fingerprint
from wembed.encoder.gnn import Gnn
from wembed.graph import build_graph
from wembed.symmetry import declare_spec, structure_signature
from wembed.training.pool import make_stacks
from wembed.training.surrogates import draw_surrogates
from wembed.training.views import drastic_views, slight_views


@pytest.fixture(scope="module")
def item():
    generator = np.random.default_rng(0)
    sizes = [(12, 8), (10, 12), (4, 10)]
    tensors = {f"{2 * n}.weight": generator.standard_normal(size).astype(np.float32) for n, size in enumerate(sizes)}
    tensors |= {f"{2 * n}.bias": generator.standard_normal(size[0]).astype(np.float32) for n, size in enumerate(sizes)}
    shapes = {name: values.shape for name, values in tensors.items()}
    return in_memory(tensors), declare_spec(shapes, [["0", "relu", "2", "tanh", "4"]])


def canonical_change(item, view) -> float:
    """How far a view is from its network, in ways that no symmetry undoes: sorted weights of the canonical form."""
    graphs = [build_graph(*network) for network in (item, view)]
    before, after = (
        np.concatenate([np.sort(np.abs(block.weight()).ravel()) for block in graph.blocks]) for graph in graphs
    )
    return float(np.linalg.norm(after - before) / np.linalg.norm(before))


@pytest.mark.parametrize("views", [slight_views, drastic_views])
def test_views_are_changed_copies_and_the_network_is_not(views, item):
    checkpoint, spec = item
    before = checkpoint.content_hash()
    copies = list(views(item, 20, np.random.default_rng(0)))
    assert checkpoint.content_hash() == before
    assert len({copy.content_hash() for copy, _ in copies}) == 20
    assert all(copy_spec is spec for _, copy_spec in copies)
    assert {structure_signature(copy) for copy, _ in copies} == {structure_signature(checkpoint)}


def test_slight_views_stay_near_and_some_drastic_ones_do_not(item):
    slight = [canonical_change(item, view) for view in slight_views(item, 40, np.random.default_rng(1))]
    drastic = [canonical_change(item, view) for view in drastic_views(item, 40, np.random.default_rng(1))]
    assert max(slight) < 0.25  # 4-bit weights and 30 % pruned are the roughest
    assert min(slight) < 1e-2
    assert max(drastic) > 0.25


def test_views_are_drawn_from_the_whole_symmetry_class(item, monkeypatch):
    monkeypatch.setattr("wembed.training.views._SLIGHT", (lambda spec, generator: lambda name, weight: weight,))
    (view,) = slight_views(item, 1, np.random.default_rng(0))
    assert not np.allclose(np.sort(view[0].read("0.weight").ravel()), np.sort(item[0].read("0.weight").ravel()))
    first, second = Fingerprint().embed([item, view])
    assert float(first @ second) == pytest.approx(1.0, abs=1e-5)


def test_surrogates_are_wide_drawn_from_a_seed_and_known_by_their_children():
    first, again = (list(draw_surrogates(2, 1, seed=1)) for _ in range(2))
    assert [example.content for example in first] == [example.content for example in again]
    assert len({example.content for example in first}) == 4
    for parent, child in zip(first[::2], first[1::2], strict=True):
        assert child.parents == (parent.id,)
        weight = parent.item[0].read("0.weight")
        assert len(weight) >= 768
        values = np.linalg.svd(child.item[0].read("0.weight") - weight, compute_uv=False)
        assert 1 <= int((values > 1e-3 * values[0]).sum()) <= 16
        spectrum = np.linalg.svd(weight, compute_uv=False)
        assert spectrum[0] > 2 * np.median(spectrum)


def test_surrogates_are_examples_like_any_others():
    examples = list(draw_surrogates(1, 1, seed=1))
    (stack,) = make_stacks(examples, Gnn.batch, 2, np.random.default_rng(0), lambda done, total: None)
    assert (stack.count, stack.views, len(stack.networks.links[0].weight)) == (2, 2, 4)
