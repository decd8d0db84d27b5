import json
import math
import struct

import pytest

from wembed.errors import NotFoundError, WembedError
from wembed.evaluate.results import (
    Calibration,
    Curve,
    Evaluation,
    Layer,
    MapPoint,
    Predicted,
    RecallCurve,
    Result,
    TrainingCurve,
)
from wembed.report import make_folder, read_results, write_report
from wembed.report.figures import DRAWINGS
from wembed.report.headline import headlines
from wembed.report.limits import STRANGERS
from wembed.report.lookup import POOLED
from wembed.report.markdown import to_markdown
from wembed.report.reading import sentences, share_error
from wembed.report.results_file import to_text
from wembed.report.tables import headline_table, metric_table, result_table
from wembed.report.tasks import SECTIONS


def png_size(path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", head[16:24])


@pytest.fixture(scope="module")
def written(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report(evaluation, folder, "made up")
    return folder


def test_a_report_has_every_figure_as_wide_as_a_page(written):
    for drawing in DRAWINGS:
        width, height = png_size(written / "figures" / f"{drawing.name}.png")
        assert width == 2100  # 7 inches
        assert 450 <= height <= 2850
        assert (written / "figures" / f"{drawing.name}.svg").read_text().startswith("<?xml")


def test_a_report_names_its_files_and_leaves_nothing_else(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "map-family.png").write_bytes(b"")
    (tmp_path / "figures" / "mine.png").write_bytes(b"")
    paths = write_report(Evaluation([recall("gnn", 0.5)]), tmp_path)
    names = [str(path.relative_to(tmp_path)) for path in paths]
    assert names == ["results.md", "results.json", "report.html", "figures/retrieval.png", "figures/retrieval.svg"]
    left = {path for path in tmp_path.rglob("*") if path.is_file()} - set(paths)
    assert left == {tmp_path / "figures" / "mine.png"}  # what no report wrote is not a report's to delete


def test_a_report_has_the_same_bytes_however_often_it_is_written(evaluation, tmp_path):
    some = Evaluation([recall("gnn", 0.5)], recall=evaluation.recall[:2], map=evaluation.map[:40])
    one, two = (write_report(some, tmp_path / name, "made up") for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert {path.suffix for path in one} == {".md", ".json", ".html", ".png", ".svg"}


def test_every_figure_stands_in_the_text_with_its_caption(written):
    text = (written / "results.md").read_text()
    for drawing in DRAWINGS:
        assert f"![{drawing.name}](figures/{drawing.name}.png)\n\n*{drawing.caption}*" in text


def test_results_survive_the_round_trip(evaluation, written):
    read = read_results(written)
    assert to_text(read) == to_text(evaluation)
    assert [row.encoder for row in read.results] == [row.encoder for row in evaluation.results]
    assert read.map[0].layers == evaluation.map[0].layers
    assert read.map[0].neighbours == evaluation.map[0].neighbours
    assert read.recall[0].values == pytest.approx(evaluation.recall[0].values, abs=1e-6)
    assert read.calibration[0].levels == evaluation.calibration[0].levels
    assert read.training[0].metric == evaluation.training[0].metric
    assert read.facts == evaluation.facts


def test_a_file_of_the_first_format_is_read(tmp_path):
    row = {"task": "prediction", "encoder": "gnn", "metric": "tau", "value": 0.5, "n": 3, "split": "test"}
    point = {"id": "a", "x": 1.0, "y": 2.0, "architecture": "mlp", "dataset": "digits", "accuracy": 0.5}
    (tmp_path / "results.json").write_text(json.dumps({"format": 1, "results": [row], "map": [point]}))
    read = read_results(tmp_path)
    assert (read.results[0].value, read.results[0].low, read.map[0].family) == (0.5, None, "")


def test_every_row_is_a_line_of_the_file(written, evaluation):
    lines = (written / "results.json").read_text().splitlines()
    assert len([line for line in lines if '"metric"' in line and '"n"' in line]) == len(evaluation.results)


def test_what_is_not_finite_becomes_null_and_reads_as_none_or_nan(tmp_path):
    curve = Curve("a", "b", "digits", (0.0, 1.0), {"naive": (0.5, 0.6)}, {"naive": (0.1, math.inf)})
    point = MapPoint("a", 0.0, 1.0, "mlp", "digits", math.nan, layers=(Layer("0.weight", (2, 2), math.inf, 1.0),))
    training = TrainingCurve("gnn", (1, 2), (0.5, math.nan), (0.6, math.nan), "loss", 1)
    told = {"gnn": [Predicted("a", "digits", 0.5, 0.4, -math.inf, math.inf)]}
    rows = [Result("prediction", "gnn", "r2", math.nan, 3, "test")]
    whole = Evaluation(rows, told, curves=[curve], map=[point], training=[training])
    (tmp_path / "results.json").write_text(to_text(whole))
    json.loads((tmp_path / "results.json").read_text(), parse_constant=lambda name: pytest.fail(f"found {name}"))
    read = read_results(tmp_path)
    assert (read.results[0].value, read.map[0].accuracy) == (None, None)
    series = read.curves[0].loss["naive"][1], read.training[0].loss[1], read.predictions["gnn"][0].low
    assert all(map(math.isnan, (*series, read.map[0].layers[0].mean)))


def malformed(**parts) -> str:
    return to_text(Evaluation([], **parts))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "holds no results"),
        ("[]", "expected an object of format 1 or 2"),
        ('{"format": 9}', "expected an object of format 1 or 2"),
        ('{"format": 1}', "results: field required"),
        ('{"format": 1, "results": [{"task": "x"}]}', "results.0.encoder: field required"),
        ('{"format": 1, "results": [], "curves": [{}]}', "holds no results"),
        (malformed(curves=[Curve("a", "b", "c", (0.0, 1.0), {"naive": (0.5,)}, {})]), "curves: t: 2 places but 1"),
        (malformed(curves=[Curve("a", "b", "c", (), {}, {})]), "curves: t is empty"),
        (malformed(calibration=[Calibration("gnn", "test", (0.5,), ())]), "calibration: levels: 1 places but 0"),
        (
            malformed(recall=[RecallCurve("x", "gnn", "test", (0, 1), (0.0, 1.0))]),
            "expected 1 or more, found 0",
        ),
        (malformed(recall=[RecallCurve("x", "gnn", "test", (1,), ())]), "recall: depths: 1 places but 0"),
        (malformed(training=[TrainingCurve("gnn", (1,), (), (), "x", 1)]), "training: epochs: 1 places but 0"),
    ],
)
def test_a_file_that_holds_no_results_is_refused(tmp_path, text, said):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(WembedError, match=said):
        read_results(tmp_path)


def test_a_point_without_a_place_is_read_again(tmp_path):
    (tmp_path / "results.json").write_text(malformed(map=[MapPoint("a", math.nan, 1.0, "mlp", "digits", 0.5)]))
    assert math.isnan(read_results(tmp_path).map[0].x)


def test_a_folder_without_results_is_said(tmp_path):
    with pytest.raises(NotFoundError, match=r"no results\.json in") as caught:
        read_results(tmp_path)
    assert "wembed experiment" in caught.value.hint


def test_a_file_in_the_place_of_a_folder_has_no_results(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(NotFoundError, match=r"no results\.json in"):
        read_results(tmp_path / "taken")


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(WembedError, match=r"cannot write the report to .*: (not a directory|file exists)") as caught:
        write_report(Evaluation([]), tmp_path / "taken")
    assert caught.value.hint == "choose another folder with -o"


def test_a_folder_is_tried_before_there_is_anything_to_write(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(WembedError, match="cannot write the report to"):
        make_folder(tmp_path / "taken")
    make_folder(tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").rglob("*")] == ["figures"]


def test_an_interval_stands_beside_its_number_in_place_of_the_error():
    rows = [Result("prediction", "gnn", "tau", 0.7, 30, "test", 0.05, low=0.61, high=0.78)]
    assert result_table(rows, ("tau",))[2:] == ["| gnn | **0.700** [0.610, 0.780] | 30 |"]


def test_a_name_that_would_end_a_cell_or_a_line_does_not():
    rows = [Result("prediction", "a|b\nc", "tau", 0.7, 30, "test")]
    assert result_table(rows, ("tau",))[2] == "| a\\|b c | **0.700** | 30 |"


def test_many_measures_of_few_encoders_are_lines_and_not_columns():
    rows = [Result("prediction", "gnn", f"recall@1 step {step}", 0.5, 30, "test") for step in (1, 2)]
    assert metric_table(rows, ["recall@1 step 1", "recall@1 step 2"])[2] == "| recall@1 step 1 ↑ | **0.500** | 30 |"


def test_the_headline_has_every_encoder_and_baseline_with_intervals():
    rows = [
        Result("prediction", name, "tau/tau_max", value, 30, "test", low=value - 0.1, high=value + 0.1)
        for name, value in (("stats", 0.5), ("gnn", 0.7))
    ]
    evaluation = Evaluation([recall("gnn", 0.9), recall("cosine", 0.5), *rows])
    (headline,) = headlines(evaluation)
    assert headline_table(evaluation, headline) == [
        "| encoder | tau / tau max: accuracy, held-out runs | Recall@1: snapshot |",
        "| --- | ---: | ---: |",
        "| gnn | **0.700** [0.600, 0.800] | **0.900** |",
        "| cosine | n/a | 0.500 |",
        "| stats | 0.500 [0.400, 0.600] | n/a |",
    ]


def test_those_that_know_one_shape_only_have_a_headline_of_that_shape(written):
    text = (written / "results.md").read_text()
    assert "On all architectures:" in text
    assert "On only digits-mlp-relu-32x32+digits-mlp-tanh-32x32+digits-mlp-leaky_relu-32x32:" in text


def test_how_far_seeds_are_apart_is_said(written):
    said = "Means over 3 seeds; the largest standard deviation over them is 0.010 (gnn, recall@1, `test`)."
    assert said in (written / "results.md").read_text()


def test_every_section_has_its_numbers(written):
    text = (written / "results.md").read_text()
    for heading in ("Headline", "Reading", *SECTIONS.values(), "Limits"):
        assert (f"## {heading}\n" in text) == (heading != "Further tasks")
    assert "| architecture:mlp-relu-32x32 |" not in text  # a part is named by itself
    assert "### dataset" in text


def test_a_task_that_the_report_does_not_know_is_in_it():
    text = to_markdown(Evaluation([Result("taste", "gnn", "sweetness", 0.5, 3, "test")]), [], "x")
    assert "## Further tasks\n\n### taste\n" in text


def test_the_best_is_bold_and_what_does_not_apply_is_marked():
    rows = [
        Result("prediction", "gnn", "tau", 0.7, 30, "test"),
        Result("prediction", "gnn", "mse", 0.02, 30, "test"),
        Result("prediction", "stats", "tau", 0.8, 30, "test"),
        Result("prediction", "stats", "mse", 0.01, 28, "test"),
        Result("prediction", "mlp", "tau", None, 0, "test"),
        Result("prediction", "gnn (shuffled labels)", "tau", 0.9, 30, "test"),
    ]
    assert result_table(rows, ("tau", "mse")) == [
        "| encoder | tau ↑ | MSE ↓ | n |",
        "| --- | ---: | ---: | ---: |",
        "| gnn | 0.700 | 0.02000 | 30 |",
        "| stats | **0.800** | **0.01000** | 28 to 30 |",
        "| mlp | n/a |  | 0 |",
        "| gnn (shuffled labels) | 0.900 |  | 30 |",
    ]


def test_an_error_stands_beside_its_number():
    rows = [
        Result("prediction", name, "tau", 0.7, 30, "test", error) for name, error in (("gnn", 0.05), ("stats", None))
    ]
    assert result_table(rows, ("tau",))[2:] == ["| gnn | **0.700** ± 0.050 | 30 |", "| stats | **0.700** | 30 |"]


def test_endpoints_compete_with_no_merge():
    rows = [Result("merging", name, "midpoint_accuracy", value, 9, "test") for name, value in
            (("endpoints", 0.95), ("aligned", 0.9))]  # fmt: skip
    assert result_table(rows, ("midpoint_accuracy",))[2:] == [
        "| endpoints | 0.950 | 9 |",
        "| aligned | **0.900** | 9 |",
    ]


def test_no_control_of_merging_is_the_best():
    values = {"naive, repaired": 0.95, "noise": 0.94, "matched by weights": 0.9, "aligned": 0.8}
    rows = [Result("merging", name, "midpoint_accuracy", value, 9, "test") for name, value in values.items()]
    bold = [line for line in result_table(rows, ("midpoint_accuracy",)) if "**" in line]
    assert bold == ["| matched by weights | **0.900** | 9 |"]


def test_the_reading_of_merging_tells_what_each_part_does():
    names, values = ("naive", "aligned", "matched by weights", "naive, repaired"), (0.4, 0.9, 0.6, 0.5)
    rows = []
    for name, value in zip(names, values, strict=True):
        rows += [
            Result("merging", name, metric, value, 8, "test") for metric in ("midpoint_accuracy", "barrier_removed")
        ]
    middle, barrier = sentences(Evaluation(rows))
    assert middle.endswith("; matching by weights, without data 0.600, repair without matching 0.500.")
    assert barrier.endswith("(8 pairs); matching by weights, without data 60.0 %, repair without matching 50.0 %.")


def recall(encoder: str, share: float, n: int = 400) -> Result:
    return Result("retrieval-snapshot", encoder, "recall@1", share, n, "test")


@pytest.mark.parametrize(
    ("own", "verdict"),
    [(0.95, "gnn is ahead by 15.0 points"), (0.60, "gnn is behind by 20.0 points"), (0.81, "gnn is level with it")],
)
def test_the_reading_says_who_is_ahead(own, verdict):
    (sentence,) = sentences(Evaluation([recall("gnn", own), recall("stats", 0.8), recall("fingerprint", 0.5)]))
    assert verdict in sentence
    assert "the best baseline, stats, in 80.0 %" in sentence


def test_every_configuration_of_merging_is_a_line(written):
    text = (written / "results.md").read_text()
    assert "| midpoint accuracy ↑ | endpoints | naive | aligned | noise | embedding |" in text
    assert "| wine-mlp-relu-16 | 0.950 | 0.520 | **0.930** | 0.880 |  |  | 8 |" in text


def test_merging_by_embedding_is_compared_on_its_own_pairs():
    def row(name: str, value: float, n: int, split: str) -> Result:
        return Result("merging", name, "midpoint_accuracy", value, n, split, 0.02)

    rows = [row("naive", 0.4, 60, "test"), row("aligned", 0.9, 60, "test")]
    rows += [row("aligned", 0.7, 8, "test:a/8"), row("embedding", 0.8, 8, "test:a/8")]
    rows.append(row("aligned, as much noise as embedding moves", 0.79, 8, "test:a/8"))
    said = (
        "Steering the average of 8 pairs towards the interpolated embedding gives 0.800, above the 0.700 of matching "
        "alone, and no different from the 0.790 of as much noise."
    )
    assert said in " ".join(sentences(Evaluation(rows)))


def test_the_reading_of_merging_says_nothing_of_numbers_without_errors():
    pair = (("naive", 0.895), ("aligned", 0.9))
    rows = [Result("merging", name, "midpoint_accuracy", value, 8, "test") for name, value in pair]
    assert "an accuracy of 0.900, beside the 0.895 of plain averages" in sentences(Evaluation(rows))[0]


def test_the_reading_knows_when_a_difference_is_noise():
    rows = [Result("prediction", name, "tau", tau, 90, "test", 0.04) for name, tau in (("gnn", 0.8), ("stats", 0.75))]
    assert "stats, 0.750 (± 0.040), which is 0.050 less, within two standard errors." in sentences(Evaluation(rows))[0]


def test_the_reading_of_an_ordering_goes_both_ways():
    def said(own: float, other: float) -> str:
        pair = (("gnn", own), ("hyperparameters", other))
        return sentences(Evaluation([Result("prediction", name, "tau", tau, 90, "test") for name, tau in pair]))[0]

    assert "hyperparameters, 0.600, which is 0.200 less" in said(0.8, 0.6)
    assert "hyperparameters, 0.900, which is 0.100 more" in said(0.8, 0.9)


@pytest.mark.parametrize(("naive", "word"), [(0.5, "above"), (0.95, "below"), (0.9, "no different from")])
def test_the_reading_of_merging_goes_every_way(naive, word):
    pair = (("naive", naive), ("aligned", 0.9))
    rows = [Result("merging", name, "midpoint_accuracy", value, 20, "test", 0.01) for name, value in pair]
    assert f"reach an accuracy of 0.900, {word} the {naive:.3f} of plain averages" in sentences(Evaluation(rows))[0]


def test_an_error_of_a_share_is_never_nothing():
    assert share_error(1.0, 100) > 0.004
    assert share_error(0.5, 100) == pytest.approx(0.05, rel=0.02)


def test_text_of_an_evaluation_without_anything_has_its_limits():
    text = to_markdown(Evaluation([]), [], "nothing")
    assert text.startswith("# Results: nothing\n")
    assert "## Limits" in text
    assert "nan" not in text


@pytest.mark.parametrize(("least", "is_said"), [(19, True), (20, False)])
def test_few_strangers_are_said(least, is_said):
    facts = {"retrieval-snapshot": {STRANGERS: least}}
    assert ("have only 19 strangers" in to_markdown(Evaluation([], facts=facts), [], "x")) == is_said


@pytest.mark.parametrize("task", ["retrieval-dataset", "retrieval-architecture"])
def test_tasks_without_strangers_by_design_raise_no_alarm(task):
    assert "strangers of their configuration" not in to_markdown(Evaluation([], facts={task: {STRANGERS: 0}}), [], "x")


def test_few_strangers_of_any_of_several_runs_are_said():
    facts = {"retrieval-snapshot": {"run 0": {STRANGERS: 40}, "run 1": {STRANGERS: 9}}}
    assert "only 9 strangers" in to_markdown(Evaluation([], facts=facts), [], "x")


def test_a_change_of_any_size_has_digits():
    rows = [Result("invariance", "gnn", "largest_change", 7.5e-7, 50, "test")]
    assert "| gnn | 7.5e-07 | 50 |" in to_markdown(Evaluation(rows), [], "x")


def test_a_hostile_name_stays_in_its_line():
    rows = [Result("prediction", "a\n# b\x1b[31m", "tau", 0.5, 9, "test:c\n# d", seeds=2, spread=0.1)]
    text = to_markdown(Evaluation(rows), [], "e\n# f")
    assert "\x1b" not in text
    assert [line for line in text.splitlines() if line.startswith("# ")] == ["# Results: e # f"]


def test_a_mean_over_seeds_stands_beside_its_spread_and_single_checkpoints_are_of_the_first(evaluation):
    rows = [Result("prediction", "gnn", "tau", 0.7, 30, "test", seeds=3, spread=0.05)]
    pooled = Evaluation(rows, map=evaluation.map[:1], facts={POOLED: [0, 1, 2]})
    text = to_markdown(pooled, [], "x")
    assert "| gnn | **0.700** ± 0.050 | 30 |" in text
    assert "Of the first seed only, since they show single checkpoints: map-architecture, map-accuracy." in text


def test_text_without_the_main_encoder_stands_by_what_is_there():
    rows = [recall("stats", 0.8), Result("retrieval-snapshot", "mlp", "recall@1", None, 0, "test")]
    text = to_markdown(Evaluation(rows), [], "x")
    assert "stats comes first in 80.0 %" in text
    assert "| mlp | n/a | 0 |" in text
