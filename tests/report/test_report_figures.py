import dataclasses
import itertools
import math

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from wembed.evaluate.results import Evaluation, MapPoint, Predicted, RecallCurve, Result
from wembed.report.figures import DRAWINGS, possible, save_svg, styled
from wembed.report.figures.bars import retrieval
from wembed.report.figures.maps import MOST_FAMILIES, largest_families
from wembed.report.figures.parts import held_out
from wembed.report.figures.scatter import predicted_against_true, shown
from wembed.report.figures.style import PAGE, encoder_looks, kinds

NAMES = [drawing.name for drawing in DRAWINGS]
DOTS = 100  # an inch: what tests draw, to be quick
SLACK = 1.0  # pixels that two boxes may share: what a font's box has around its ink


def few(evaluation: Evaluation) -> Evaluation:
    """As little as there can be: one encoder, one pair, one family, one curve of each kind."""
    rows = [row for row in evaluation.results if row.encoder in ("gnn", "aligned", "gnn-one-sweep")]
    predictions = {"gnn": evaluation.predictions["gnn"][:1]}
    parts = {"recall": evaluation.recall[:1] + evaluation.recall[3:4], "calibration": evaluation.calibration[:1]}
    few_more = {"training": evaluation.training[:1]}
    return Evaluation(rows, predictions, predictions, evaluation.curves[:1], evaluation.map[:2], **parts, **few_more)


def many(evaluation: Evaluation) -> Evaluation:
    """More architectures than there are looks, and more encoders than there are colours."""
    more = [
        MapPoint(f"m{place}", place, -place, f"mlp-silu-{place}x{place}x{place}", f"data set {place % 9}", 0.5)
        for place in range(20)
    ]
    new = [f"trained-by-me-{place}" for place in range(4)]

    def again(found):
        copies = [dataclasses.replace(one, encoder=name) for name in new for one in found if one.encoder == "gnn"]
        return [*found, *copies]

    lists = {name: again(getattr(evaluation, name)) for name in ("results", "recall", "calibration", "training")}
    return dataclasses.replace(evaluation, map=[*evaluation.map, *more], **lists)


def draw_all(evaluation: Evaluation) -> dict[str, Figure]:
    with styled():
        figures = {drawing.name: drawing.draw(evaluation) for drawing in possible(evaluation)}
    for figure in figures.values():
        figure.set_dpi(DOTS)
    return figures


@dataclasses.dataclass(frozen=True)
class Seen:
    """A figure that was drawn once, and the box of every text that is really drawn."""

    figure: Figure
    texts: list[tuple[str, Bbox]]


@pytest.fixture(scope="module", params=[lambda given: given, few, many], ids=["whole", "few", "many"])
def figures(request, evaluation) -> dict[str, Seen]:
    return {name: seen(figure) for name, figure in draw_all(request.param(evaluation)).items()}


def seen(figure: Figure) -> Seen:
    return Seen(figure, [(text.get_text(), text.get_window_extent()) for text in shown_texts(figure)])


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
    canvas = figures[name].figure.bbox
    for text, box in figures[name].texts:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= canvas.x1 and box.y1 <= canvas.y1
        assert inside, f"{text!r} at {box} leaves the canvas {canvas}"


@pytest.mark.parametrize("name", NAMES)
def test_no_texts_overlap(figures, name):
    pairs = itertools.combinations(figures[name].texts, 2)
    assert not [(one[0], other[0]) for one, other in pairs if overlap(one[1], other[1])]


@pytest.mark.parametrize("name", NAMES)
def test_no_legend_covers_the_data(figures, name):
    figure = figures[name].figure
    for legend in figure.findobj(Legend):
        assert not any(overlap(legend.get_window_extent(), axes.get_window_extent()) for axes in figure.axes)


def test_boxes_that_overlap_are_seen_to():
    figure = Figure()
    figure.text(0.5, 0.5, "one")
    figure.text(0.51, 0.5, "two")
    one, two = (box for _, box in seen(figure).texts)
    assert overlap(one, two)


def test_every_figure_says_what_is_seen_and_is_as_wide_as_a_page(figures):
    for drawn in figures.values():
        assert drawn.figure.axes[0].get_title()
        assert drawn.figure.get_figwidth() == PAGE
        assert drawn.figure.get_figheight() <= 9.5  # inches of a page


def test_an_encoder_has_one_look_whoever_stands_beside_it():
    alone, beside = encoder_looks(["gnn", "mine"]), encoder_looks(["stats", "mine", "gnn", "gnn (shuffled labels)"])
    assert alone["gnn"] == beside["gnn"]
    assert alone["mine"] == beside["mine"]
    assert len({look.colour for look in beside.values()}) == 4


def test_twelve_encoders_are_told_apart_without_colours():
    looks = encoder_looks(["gnn", "fingerprint", "stats", "mlp", *(f"gnn/{number}" for number in range(8))]).values()
    assert len({(look.marker, look.dashes) for look in looks}) == 12


def test_twenty_four_architectures_are_told_apart_without_colours():
    looks = kinds([f"mlp-{number}" for number in range(24)]).values()
    assert len({(look.marker, look.face == "white", look.edge == "black") for look in looks}) == 24


def test_what_was_not_measured_is_not_drawn(evaluation):
    assert draw_all(Evaluation([])) == {}
    rows = [
        row
        for row in evaluation.results
        if row.task in ("retrieval-snapshot", "merging") and not row.encoder.startswith("gnn-")
    ]
    names = list(draw_all(Evaluation(rows, predictions=evaluation.predictions)))
    assert names == ["retrieval", "recall-curves", "recall-curves-one-shape", "predicted-true", "midpoints"]


def test_what_does_not_apply_is_marked(evaluation):
    rows = [row for row in evaluation.results if row.task.startswith("retrieval-") and row.split == "test"]
    known = [row for row in rows if row.encoder in ("gnn", "fingerprint")]
    figure = draw_all(Evaluation([row for row in known if row.task != "retrieval-lineage" or row.encoder == "gnn"]))
    marks = [text for text in figure["retrieval"].findobj(Text) if text.get_text() == "n/a"]
    assert len(marks) == 1  # the fingerprint, on lineage


def test_titles_of_scatter_plots_are_of_the_points_that_are_drawn():
    points = [Predicted(f"c{place}", "digits", place / 10, place / 10, 0.0, 1.0) for place in range(9)]
    rows = [Result("prediction", "gnn", metric, 0.5, 9, "test") for metric in ("tau", "r2")]
    (axes,) = predicted_against_true(Evaluation(rows, {"gnn": points})).axes
    assert axes.get_title() == "gnn: 9 checkpoints\nKendall's tau 1.000, R² 1.000"


def test_the_rival_is_the_best_of_the_split_that_is_drawn():
    known = (("stats", 0.9, "test"), ("width", 0.2, "test"), ("width", 0.95, "held-out width:8"))
    rows = [Result("prediction", name, "tau", value, 9, split) for name, value, split in known]
    points = [Predicted("a", "digits", 0.5, 0.5, 0.4, 0.6)]
    predictions = dict.fromkeys(("gnn", "stats", "width"), points)
    assert shown(Evaluation(rows, facts={"main encoder": "gnn"}), "prediction", "test", predictions) == ["gnn", "stats"]


def test_parts_that_were_held_out_are_no_lines_of_the_ranking(figures):
    assert not any("(head only)" in text for text, _ in figures["prediction-tau"].texts)


def test_no_interval_of_a_part_is_cut():
    row = Result("prediction", "gnn", "tau/tau_max", 0.1, 9, "held-out width:8", low=-0.7, high=1.2)
    low, high = held_out(Evaluation([row])).axes[0].get_xlim()
    assert (low < -0.7, high > 1.2) == (True, True)


def test_equal_families_are_shown_of_all_configurations():
    points = [
        MapPoint(f"{kind}{run}{step}", 0.0, 0.0, kind, "digits", 0.5, family=f"{kind}-{run:02d}")
        for kind in ("cnn", "mlp") for run in range(20) for step in range(2)
    ]  # fmt: skip
    found = largest_families(points)
    assert (len(found), sum(name.startswith("cnn") for name in found)) == (MOST_FAMILIES, MOST_FAMILIES // 2)


def test_chance_has_a_line_for_each_split_that_is_drawn():
    rows = [
        Result("retrieval-noised", name, "recall@1", value, 9, split)
        for name, value in (("gnn", 0.9), ("chance", 0.2)) for split in ("test", "test:digits-mlp")
    ]  # fmt: skip
    assert [line.get_linestyle() for line in retrieval(Evaluation(rows)).axes[0].lines].count("-.") == 1


@pytest.mark.parametrize("name", ["net$\\frac$", "net\x1b[31m\x00", "网络", "a" * 300, ""])
def test_names_that_are_hard_to_draw_are_drawn(name, tmp_path):
    points = [MapPoint(f"n{place}", float(place), place % 3, name, name, 0.5, family=name) for place in range(6)]
    points.append(MapPoint("nowhere", math.nan, math.inf, name, name, 0.5, family=name))
    curves = [RecallCurve("retrieval-noised", name, "test", (1, 5), (0.5, 0.6))]
    rows = [Result("prediction", name, "tau/tau_max", 0.5, 6, "test")]
    evaluation = Evaluation(rows, map=points, recall=curves, facts={"main encoder": name})
    with styled():
        for drawing in possible(evaluation):
            save_svg(drawing.draw(evaluation), tmp_path / f"{drawing.name}.svg")
    assert (tmp_path / "map-architecture.svg").stat().st_size > 1000
