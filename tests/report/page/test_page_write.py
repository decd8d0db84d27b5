"""The page as a file: whole, small, and safe whatever is in it."""

import base64
import dataclasses
import hashlib
import json
import math
import re

import pytest
from page_evaluation import make_evaluation, make_points

from wembed.errors import WembedError
from wembed.evaluate.results import Calibration, Neighbour, RecallCurve, Result, TrainingCurve
from wembed.report.page import write_page
from wembed.report.page.chart import LOOKS, Chart, Line, figure, shares
from wembed.report.page.columns import SCORE_UNIT, columns
from wembed.report.page.text import script_json
from wembed.report.page.write import page_text


@pytest.fixture(scope="module")
def evaluation():
    return make_evaluation(make_points(40, layers=4))


def part(text: str, pattern: str) -> str:
    (found,) = re.findall(pattern, text, re.DOTALL)
    return found


def data_of(text: str) -> dict:
    return json.loads(part(text, r'<script type="application/json" id="data">(.*?)</script>'))


def test_two_thousand_models_take_less_than_12_megabytes(large_file):
    assert large_file.stat().st_size < 12e6


def test_one_evaluation_gives_one_file(evaluation):
    assert page_text(evaluation, "zoo") == page_text(evaluation, "zoo")


def test_page_names_no_address_but_that_of_svg(evaluation):
    addresses = set(re.findall(r"https?://[^\"'\s)]+", page_text(evaluation, "zoo")))
    assert addresses == {"http://www.w3.org/2000/svg"}


def test_policy_lets_only_the_page_s_own_script_and_style_run(evaluation):
    text = page_text(evaluation, "zoo")
    policy = part(text, r'Content-Security-Policy" content="(.*?)"')
    for kind, element in (("script", '<script type="module">'), ("style", "<style>")):
        own = part(text, f"{element}(.*?)</{kind}>")
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("text", ["</script>", "<!--", "\u2028", "]]>", "&lt;", "\ud800"])
def test_json_in_a_script_is_ascii_without_a_tag_and_reads_back(text):
    written = script_json({text: [text]})
    assert written.isascii()
    assert not set("<>&") & set(written)
    assert json.loads(written) == {text: [text]}


def test_numbers_that_are_none_are_empty_cells(evaluation):
    rows = [Result("prediction", "gnn", "r2", math.nan, 3, "test", math.inf)]
    found = data_of(page_text(dataclasses.replace(evaluation, results=rows), "zoo"))["results"]
    assert (found["value"], found["error"]) == ([None], [None])


def test_neighbours_keep_their_order_and_their_scores(evaluation):
    models = columns(evaluation)["models"]
    point = evaluation.map[9]
    assert [models["ids"][place] for place in models["neighbours"][9]] == [near.id for near in point.neighbours]
    scores = [units * SCORE_UNIT for units in models["scores"][9]]
    assert scores == pytest.approx([near.score for near in point.neighbours], abs=SCORE_UNIT)


def test_neighbour_that_is_not_on_the_map_is_named(evaluation):
    point = dataclasses.replace(evaluation.map[0], neighbours=(Neighbour("elsewhere", 0.5),), parent="gone")
    models = columns(dataclasses.replace(evaluation, map=[point]))["models"]
    assert [models["ids"][models["neighbours"][0][0]], models["ids"][models["parent"][0]]] == ["elsewhere", "gone"]


def test_two_models_of_one_id_keep_their_places(evaluation):
    twice = dataclasses.replace(evaluation, map=[evaluation.map[0], evaluation.map[0], evaluation.map[1]])
    assert columns(twice)["models"]["ids"][:3] == [point.id for point in twice.map]


def test_headline_shows_every_encoder_with_its_interval(evaluation):
    text = page_text(evaluation, "zoo")
    table = part(text, r'<table class="sortable headline">(.*?)</table>')
    assert re.findall(r'<th scope="row"><bdi>(.*?)</bdi>', table)[:2] == ["gnn", "fingerprint"]
    assert "0.900 to 0.950" in table


def test_headline_has_a_table_of_one_shape(evaluation):
    shape = Result("prediction", "mlp", "tau/tau_max", 0.5, 9, "test:digits-mlp-16", seeds=3, spread=0.2)
    text = page_text(dataclasses.replace(evaluation, results=[*evaluation.results, shape]), "zoo")
    assert "<h4>On only digits-mlp-16</h4>" in text
    assert "<small>± 0.200</small>" in text


def test_headline_is_about_accuracy_and_no_other_target(evaluation):
    other = Result("prediction", "recipe", "tau/tau_max", 0.999, 9, "test", target="gap")
    text = page_text(dataclasses.replace(evaluation, results=[*evaluation.results, other]), "zoo")
    assert "recipe" not in part(text, r'<table class="sortable headline">(.*?)</table>')


def test_curve_with_a_gap_is_drawn_around_it(evaluation):
    curve = TrainingCurve("gnn", (1, 2, 3), (1.0, math.nan, 0.5), (math.nan,) * 3, "recall@1", 1)
    text = page_text(dataclasses.replace(evaluation, training=[curve], recall=[], calibration=[], curves=[]), "zoo")
    assert part(text, r'class="stroke" d="(.*?)"').count("M") == 2


def test_every_curve_has_its_numbers_as_a_table(evaluation):
    text = page_text(evaluation, "zoo")
    assert text.count("<figure") == text.count("<summary>Numbers</summary>") > 0


def test_calibration_stands_beside_the_line_that_it_should_follow(evaluation):
    only = [Calibration("gnn", "test", (0.5, 0.9), (0.45, 0.91))]
    text = page_text(dataclasses.replace(evaluation, calibration=only, recall=[], training=[], curves=[]), "zoo")
    assert text.count('class="guide"') == 1


def test_lines_of_a_chart_differ_without_their_colours():
    lines = [Line(str(look), (0.0,), (0.0,), look) for look in range(LOOKS)]
    drawn = figure(Chart("all", shares("x"), shares("y"), lines))
    looks = re.findall(r'class="line colour-\d (dash-\d)"><path class="stroke" d="M1 6H27"/><g [^>]*>(.*?)</g>', drawn)
    assert len(set(looks)) == LOOKS


def test_charts_say_their_splits_and_scores_in_words(evaluation):
    training = TrainingCurve("gnn", (1, 2), (1.0, 0.5), (1.0, 0.6), "validation loss", 2)
    recall = RecallCurve("retrieval-snapshot", "gnn", "test:digits-mlp-16+digits-mlp-32/30", (1, 5), (0.5, 0.6))
    text = page_text(dataclasses.replace(evaluation, training=[training], recall=[recall]), "zoo")
    assert "validation validation" not in text
    assert "snapshot, 30 queries of digits-mlp-16, digits-mlp-32</figcaption>" in text


def test_a_model_without_a_place_is_left_out(evaluation):
    lost = dataclasses.replace(evaluation.map[0], x=math.nan)
    models = columns(dataclasses.replace(evaluation, map=[lost, *evaluation.map[1:]]))["models"]
    assert (models["count"], len(models["x"])) == (39, 39)


def test_file_that_cannot_be_written_is_named(evaluation, tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(WembedError, match=r"cannot write .*report\.html: is a directory"):
        write_page(evaluation, tmp_path / "report.html", "zoo")


def test_page_leaves_no_unfinished_file(evaluation, tmp_path):
    write_page(evaluation, tmp_path / "made" / "report.html", "zoo")
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["report.html"]
