import dataclasses
import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from wembed.evaluate.results import Evaluation, MapPoint
from wembed.report.figures import DRAWINGS, draw_all
from wembed.report.style import encoder_colours

NAMES = [drawing.name for drawing in DRAWINGS]
SLACK = 1.0  # pixels that two boxes may share: what a font's box has around its ink


def few(evaluation: Evaluation) -> Evaluation:
    """As little as there can be: one encoder, one point, one pair."""
    rows = [row for row in evaluation.results if row.encoder in ("gnn", "aligned")]
    predictions = {"gnn": evaluation.predictions["gnn"][:1]}
    return Evaluation(rows, predictions, predictions, evaluation.curves[:1], evaluation.map[:1])


def many(evaluation: Evaluation) -> Evaluation:
    """More architectures than there are looks, and more encoders than there are colours."""
    more = [
        MapPoint(f"m{place}", place, -place, f"mlp-silu-{place}x{place}x{place}", f"data set {place % 9}", 0.5)
        for place in range(20)
    ]
    rows = [
        dataclasses.replace(row, encoder=f"gnn-trained-by-me-{place}")
        for place in range(4)
        for row in evaluation.results
        if row.encoder == "gnn"
    ]
    return dataclasses.replace(evaluation, results=[*evaluation.results, *rows], map=[*evaluation.map, *more])


@pytest.fixture(scope="module", params=[lambda given: given, few, many], ids=["whole", "few", "many"])
def figures(request, evaluation) -> dict[str, Figure]:
    return {one.drawing.name: one.figure for one in draw_all(request.param(evaluation))}


def shown_texts(figure: Figure) -> list[Text]:
    """The texts that drawing a figure really draws: axes keep tick labels outside of their limits, too."""
    drawn: list[Text] = []
    draw = Text.draw
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", lambda text, renderer: (drawn.append(text), draw(text, renderer)))
        FigureCanvasAgg(figure).draw()
    return [text for text in dict.fromkeys(drawn) if text.get_visible() and text.get_text().strip()]


def overlap(one: Bbox, other: Bbox) -> bool:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > SLACK and height > SLACK


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_cut(figures, name):
    canvas = figures[name].bbox
    for text in shown_texts(figures[name]):
        box = text.get_window_extent()
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= canvas.x1 and box.y1 <= canvas.y1
        assert inside, f"{text.get_text()!r} at {box} leaves the canvas {canvas}"


@pytest.mark.parametrize("name", NAMES)
def test_no_texts_overlap(figures, name):
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown_texts(figures[name])]
    clashes = [(one[0], other[0]) for one, other in itertools.combinations(boxes, 2) if overlap(one[1], other[1])]
    assert not clashes


@pytest.mark.parametrize("name", NAMES)
def test_no_legend_covers_the_data(figures, name):
    FigureCanvasAgg(figures[name]).draw()
    for legend in figures[name].findobj(Legend):
        for axes in figures[name].axes:
            assert not overlap(legend.get_window_extent(), axes.get_window_extent())


def test_boxes_that_overlap_are_seen_to(evaluation):
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.51, 0.5, "two")
    one, two = (text.get_window_extent() for text in shown_texts(figure))
    assert overlap(one, two)


def test_every_figure_says_what_is_seen(figures):
    for figure in figures.values():
        assert all(axes.get_title() for axes in figure.axes[:1])


def test_an_encoder_has_one_colour_whoever_stands_beside_it():
    alone, beside = encoder_colours(["gnn", "mine"]), encoder_colours(["stats", "mine", "gnn", "gnn (shuffled labels)"])
    assert alone["gnn"] == beside["gnn"]
    assert alone["mine"] == beside["mine"]
    assert len(set(beside.values())) == 4


def test_what_was_not_measured_is_not_drawn(evaluation):
    assert draw_all(Evaluation([])) == []
    some = dataclasses.replace(evaluation, curves=[], map=[], zero_shot={})
    names = [one.drawing.name for one in draw_all(some)]
    assert names == ["retrieval", "predicted-true", "prediction-tau", "midpoints"]


def test_what_does_not_apply_is_marked(evaluation):
    (drawn,) = [one for one in draw_all(evaluation) if one.drawing.name == "retrieval"]
    marks = [text for text in drawn.figure.findobj(Text) if text.get_text() == "n/a"]
    assert len(marks) == 2 * 3 * 4  # protocols, encoders of one shape, metrics
