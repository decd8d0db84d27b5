"""The figures of a report: each with its name, what a reader sees in it, and when there is anything to draw."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from wembed.evaluate.results import Evaluation
from wembed.report.bars import prediction_tau, retrieval
from wembed.report.curves import interpolation
from wembed.report.lookup import RETRIEVAL, rows_of
from wembed.report.maps import map_by_accuracy, map_by_architecture
from wembed.report.midpoints import METRIC, midpoints
from wembed.report.scatter import predicted_against_true, shown, zero_shot
from wembed.report.style import styled


@dataclass(frozen=True)
class Drawing:
    """One figure.

    Args:
        name: of its file, without the ending.
        section: of results.md, where it stands.
        caption: what a reader sees.
        is_possible: whether an evaluation has anything to draw.
        draw: makes it.
    """

    name: str
    section: str
    caption: str
    is_possible: Callable[[Evaluation], bool]
    draw: Callable[[Evaluation], Figure]


@dataclass(frozen=True)
class Drawn:
    """A drawing that was made."""

    drawing: Drawing
    figure: Figure


def draw_all(evaluation: Evaluation) -> list[Drawn]:
    """Makes the figures that an evaluation has the numbers for, in the order of the report."""
    with styled():
        return [Drawn(drawing, drawing.draw(evaluation)) for drawing in possible(evaluation)]


def possible(evaluation: Evaluation) -> list[Drawing]:
    """The figures that an evaluation has the numbers for."""
    return [drawing for drawing in DRAWINGS if drawing.is_possible(evaluation)]


def _has_tau(evaluation: Evaluation) -> bool:
    rows = rows_of(evaluation, "prediction", "test")
    return any(row.metric == "tau" and row.value is not None for row in rows)


def _has_retrieval(evaluation: Evaluation) -> bool:
    return any(row.value is not None for task in RETRIEVAL for row in rows_of(evaluation, task))


def _has_midpoints(evaluation: Evaluation) -> bool:
    return any(row.metric == METRIC and row.value is not None for row in rows_of(evaluation, "merging"))


DRAWINGS = (
    Drawing(
        "map-architecture",
        "map",
        "The zoo as the main encoder sees it (t-SNE of its vectors): near points are networks that it takes for "
        "alike. Colour and fill say the architecture, the form the data set.",
        lambda evaluation: bool(evaluation.map),
        map_by_architecture,
    ),
    Drawing(
        "map-accuracy",
        "map",
        "The same places; the colour is the accuracy on held-out inputs. Where colours change smoothly, "
        "the vectors tell good networks from bad ones.",
        lambda evaluation: bool(evaluation.map),
        map_by_accuracy,
    ),
    Drawing(
        "retrieval",
        "retrieval",
        "How often the right checkpoint is among the nearest 1, 5 and 10, and the mean of 1 / its rank. What reads "
        "networks of one shape only is n/a over all architectures; it stands beside the others on that shape.",
        _has_retrieval,
        retrieval,
    ),
    Drawing(
        "predicted-true",
        "prediction",
        "Accuracy predicted from the weights against measured accuracy, for checkpoints of runs that no part of the "
        "predictor saw. Vertical lines are the intervals; on the dashed line a prediction is right.",
        lambda evaluation: bool(shown(evaluation, "prediction", evaluation.predictions)),
        predicted_against_true,
    ),
    Drawing(
        "prediction-tau",
        "prediction",
        "How well each encoder and baseline orders the held-out checkpoints by accuracy. Grey: the same procedure on "
        "shuffled labels, which has to stay near 0. Thin lines: one standard error over runs.",
        _has_tau,
        prediction_tau,
    ),
    Drawing(
        "zero-shot",
        "zero-shot",
        "The same predictor on networks trained on a data set that none of its training networks saw.",
        lambda evaluation: bool(shown(evaluation, "zero-shot", evaluation.zero_shot)),
        zero_shot,
    ),
    Drawing(
        "interpolation",
        "merging",
        "Along the straight line between two independently trained networks. naive: the files as they are; aligned: "
        "the second network's neurons matched to those of the first, by weights and by labelled training inputs, and "
        "units repaired (REPAIR) where that lowers the training loss. Shown are the configurations with most pairs.",
        lambda evaluation: bool(evaluation.curves),
        interpolation,
    ),
    Drawing(
        "midpoints",
        "merging",
        "Half-way between two networks. endpoints: the mean of the two; noise: an endpoint moved as far in a random "
        "direction, which shows what distance alone costs.",
        _has_midpoints,
        midpoints,
    ),
)
