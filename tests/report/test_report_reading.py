import pytest

from wembed.evaluate import Evaluation, Result
from wembed.report.reading import sentences


def said_of(tau: float, error: float, r2: float) -> str:
    rows = [
        Result("zero-shot", "gnn", "tau", tau, 50, "zero-shot", error),
        Result("zero-shot", "gnn", "r2", r2, 50, "zero-shot", None),
        Result("zero-shot", "stats", "tau", 0.0, 50, "zero-shot", 0.1),
    ]
    return " ".join(sentences(Evaluation(rows, facts={"main encoder": "gnn"})))


@pytest.mark.parametrize(
    ("tau", "error", "r2", "said"),
    [
        (0.4, 0.1, -2.0, "only the order of networks can be used there"),
        (0.1, 0.1, -2.0, "Neither its scale (R² below 0) nor its order says anything there"),
        (-0.4, 0.1, -2.0, "Neither its scale (R² below 0) nor its order says anything there"),
    ],
)
def test_a_failed_transfer_is_said(tau, error, r2, said):
    assert said in said_of(tau, error, r2)


def test_a_good_transfer_needs_no_excuse():
    assert "R² below 0" not in said_of(0.4, 0.1, 0.5)


def test_names_with_dollar_signs_are_drawn(tmp_path):
    from wembed.evaluate.results import MapPoint
    from wembed.report import write_report

    points = [MapPoint(f"n{i}", float(i), float(i % 3), "net$\\frac$", "digits", 0.5) for i in range(6)]
    write_report(Evaluation([Result("prediction", "gnn", "tau", 0.5, 6, "test")], map=points), tmp_path)
    assert (tmp_path / "figures" / "map-architecture.png").is_file()
