"""The figures of a report: each with its name, what a reader sees in it, and when there is anything to draw."""

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from wembed.evaluate.results import Evaluation
from wembed.report.figures.bars import ablation, aligned_splits, alignment, prediction, retrieval, variants
from wembed.report.figures.calibration import calibration
from wembed.report.figures.curves import interpolation
from wembed.report.figures.maps import largest_families, map_by_accuracy, map_by_architecture, map_by_family
from wembed.report.figures.midpoints import METRIC, midpoints
from wembed.report.figures.parts import held_out, held_out_rows
from wembed.report.figures.recall import of_one_shape, over_all, recall_curves
from wembed.report.figures.robustness import damages, invariance, moved_names, robustness
from wembed.report.figures.scatter import predicted_against_true, shown, zero_shot
from wembed.report.figures.training import training
from wembed.report.lookup import TEST, ZERO_SHOT, is_asked, retrieval_tasks, rows_of, shape_split


@dataclass(frozen=True)
class Drawing:
    """One figure.

    Args:
        name: of its files, without the ending.
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


def possible(evaluation: Evaluation) -> list[Drawing]:
    """The figures that an evaluation has the numbers for, in the order of the report."""
    return [drawing for drawing in DRAWINGS if drawing.is_possible(evaluation)]


def _has(evaluation: Evaluation, task: str, metric: str) -> bool:
    return any(row.metric == metric and row.value is not None for row in rows_of(evaluation, task))


def _has_recall(evaluation: Evaluation) -> bool:
    return any(
        _has(evaluation, task, "recall@1") and is_asked(evaluation, task, TEST) for task in retrieval_tasks(evaluation)
    )


# What an evaluation of several seeds keeps of the first one only.
ONE_SEED = (
    "map-architecture", "map-accuracy", "map-family", "training", "recall-curves", "recall-curves-one-shape",
    "predicted-true", "calibration", "zero-shot", "interpolation",
)  # fmt: skip
DRAWINGS = (
    Drawing(
        "map-architecture",
        "map",
        "The zoo as the main encoder sees it (t-SNE of its vectors): near points are networks that it takes for "
        "alike. Colour, form and fill say the architecture.",
        lambda evaluation: bool(evaluation.map),
        map_by_architecture,
    ),
    Drawing(
        "map-accuracy",
        "map",
        "The same places; the colour is the accuracy on held-out inputs, the form the data set. Where colours change "
        "smoothly, the vectors tell good networks from bad ones.",
        lambda evaluation: any(point.accuracy is not None for point in evaluation.map),
        map_by_accuracy,
    ),
    Drawing(
        "map-family",
        "map",
        "The same places; colour, form and fill say the family: what is connected by runs, parents and initial "
        "weights. Lines lead from snapshot to snapshot of a run and from parent to child: short ones mean that the "
        "encoder keeps a family together.",
        lambda evaluation: bool(largest_families(evaluation.map)),
        map_by_family,
    ),
    Drawing(
        "training",
        "training",
        "Loss on training runs and score on validation runs by epoch. Where both go apart, the encoder learns its "
        "training runs by heart.",
        lambda evaluation: bool(evaluation.training),
        training,
    ),
    Drawing(
        "retrieval",
        "retrieval",
        "How often the right checkpoint is the nearest one, by encoder and baseline. Dotted line: what chance reaches; "
        "dashed and dotted: what it reaches among checkpoints of one shape.",
        _has_recall,
        retrieval,
    ),
    Drawing(
        "recall-curves",
        "retrieval",
        "How often a right checkpoint is among the nearest k, among checkpoints of all architectures.",
        lambda evaluation: bool(recall_curves(evaluation, TEST)),
        over_all,
    ),
    Drawing(
        "recall-curves-one-shape",
        "retrieval",
        "The same among checkpoints of one shape, where those take part that know one shape only.",
        lambda evaluation: bool(recall_curves(evaluation, shape_split(evaluation) or "")),
        of_one_shape,
    ),
    Drawing(
        "alignment",
        "retrieval",
        "Recall@1 beside pairwise alignment, which matches a query neuron by neuron with every candidate: some queries "
        "and few candidates of one shape, the same ones for all.",
        lambda evaluation: bool(aligned_splits(evaluation)),
        alignment,
    ),
    Drawing(
        "prediction-tau",
        "prediction",
        "How well each encoder and baseline orders checkpoints by accuracy, as a share of the largest possible tau, "
        "and how much of the variance each explains.",
        lambda evaluation: _has(evaluation, "prediction", "tau/tau_max"),
        prediction,
    ),
    Drawing(
        "predicted-true",
        "prediction",
        "Accuracy predicted from the weights against measured accuracy, for checkpoints of runs that no part of the "
        "predictor saw. Vertical lines are the intervals; on the dashed line a prediction is right. Tau and R² are "
        "those of the points that are drawn, of the first fit; the tables hold means over fits.",
        lambda evaluation: bool(shown(evaluation, "prediction", TEST, evaluation.predictions)),
        predicted_against_true,
    ),
    Drawing(
        "calibration",
        "prediction",
        "How often intervals hold the true accuracy, against how often they say that they do. Band: where 95 % of "
        "measurements would fall if intervals were as stated and runs the independent cases.",
        lambda evaluation: bool(evaluation.calibration),
        calibration,
    ),
    Drawing(
        "ablation",
        "prediction",
        "The main encoder, and the same one with a part left out or changed.",
        lambda evaluation: bool(variants(evaluation)),
        ablation,
    ),
    Drawing(
        "zero-shot",
        "zero-shot",
        "The same predictor on networks trained on a data set that none of its training networks saw.",
        lambda evaluation: bool(shown(evaluation, ZERO_SHOT, ZERO_SHOT, evaluation.zero_shot)),
        zero_shot,
    ),
    Drawing(
        "held-out",
        "held-out",
        "The order of accuracy on parts of the zoo that were left out when the regression was fitted.",
        lambda evaluation: any(
            row.metric == "tau/tau_max" and row.value is not None for row in held_out_rows(evaluation)
        ),
        held_out,
    ),
    Drawing(
        "invariance",
        "robustness",
        "How far an embedding moves when neurons are permuted and rescaled, which no output notices, beside the "
        "distance to the nearest stranger. A copy is found for certain where the circle is left of the square.",
        lambda evaluation: bool(moved_names(evaluation)),
        invariance,
    ),
    Drawing(
        "robustness",
        "robustness",
        "Copies whose weights were damaged: how often the original is found first, and how far the embedding moves as "
        "a share of the distance to the nearest stranger. Above 1, a stranger is nearer.",
        lambda evaluation: bool(damages(evaluation)),
        robustness,
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
        lambda evaluation: _has(evaluation, "merging", METRIC),
        midpoints,
    ),
)
