"""The path between two networks, as Python gives it."""

import numpy as np
import pytest

from wembed.encoder import load_encoder
from wembed.errors import UsageError
from wembed.merging import MergeOptions, PathCurve, PathPoint, interpolations
from wembed.models import MLP
from wembed.report.figures.path import draw_path

SHAPE = MLP(hidden=(12,))


@pytest.fixture(scope="module")
def pair(trained):
    return [trained(SHAPE, seed) for seed in (0, 1)]


def losses(curve, method):
    return [getattr(point, f"{method}_loss") for point in curve.points]


def test_without_alignment_both_paths_are_the_same(pair, digits):
    curve = interpolations(*pair, digits, points=3, options=MergeOptions(align="none"))
    assert losses(curve, "naive") == losses(curve, "aligned")


@pytest.mark.parametrize("align", ["weights", "embedding"])
def test_alignment_lowers_the_barrier_and_leaves_the_ends(pair, digits, align):
    options = MergeOptions(align=align, encoder=load_encoder("gnn"))
    curve = interpolations(*pair, digits, points=3, options=options)
    assert curve.aligned_barrier < curve.naive_barrier
    for end in (0, -1):
        assert np.isclose(losses(curve, "aligned")[end], losses(curve, "naive")[end], atol=1e-4)


def test_repair_without_matching_has_a_barrier_of_its_own(pair, digits):
    curve = interpolations(*pair, digits, points=3, options=MergeOptions())
    assert curve.aligned_barrier < curve.repaired_barrier <= curve.naive_barrier
    for end in (0, -1):
        assert np.isclose(curve.repaired_losses[end], losses(curve, "naive")[end], atol=1e-4)


def test_a_path_of_matched_networks_alone_tells_of_no_repair():
    assert PathCurve((PathPoint(0.0, 0, 0, 1.0, 1.0), PathPoint(1.0, 0, 0, 1.0, 1.0))).repaired_barrier is None


def test_alignment_by_embedding_asks_for_an_encoder(pair, digits):
    with pytest.raises(UsageError, match="--align embedding sees neurons through an encoder") as caught:
        interpolations(*pair, digits, points=3, options=MergeOptions(align="embedding"))
    assert caught.value.hint == "give one with --encoder"


def test_the_barrier_is_the_largest_rise_above_the_line_between_the_ends():
    points = [PathPoint(0.0, 0, 0, 1.0, 1.0), PathPoint(0.25, 0, 0, 3.25, 1.0), PathPoint(1.0, 0, 0, 2.0, 2.0)]
    curve = PathCurve(tuple(points))
    assert curve.naive_barrier == pytest.approx(2.0)
    assert curve.aligned_barrier == 0.0


@pytest.mark.parametrize("count", [3, 101])
def test_the_figure_has_both_curves_of_both_numbers(count):
    points = [PathPoint(t, 0.5, 0.9, 2.0, 0.3) for t in np.linspace(0, 1, count)]
    figure = draw_path(PathCurve(tuple(points)), "a to b")
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    assert all(len(line.get_xdata()) == count for axes in figure.axes for line in axes.lines)
