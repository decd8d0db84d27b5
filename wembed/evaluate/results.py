"""What an evaluation finds: rows for the table, and what the figures are drawn from."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """One number.

    Args:
        task: retrieval-noised, retrieval-snapshot and other retrieval-*, prediction, accuracy (two predictions
            compared), zero-shot, classification, merging, invariance, robustness.
        encoder: what reached it: an encoder's name or a baseline's; A-B for what A reaches less what B does.
        metric: such as recall@1, mrr, r2, mse, spearman, tau, tau/tau_max, tau_difference, midpoint_accuracy.
        value: None where it does not apply.
        n: over how many queries, checkpoints or pairs.
        split: on which checkpoints: test, zero-shot, or test:LABEL for those of one shape.
        error: the standard error of the value by the same bootstrap as the interval; None where it isn't known.
        seed: of all that was drawn for it; None where an evaluation did not say so yet.
        encoder_id: what gave the vectors, see Encoder.id; of two that are compared both, with a blank between; "" for
            what needs none.
        data: hash of the checkpoints, see Material.
        low: lower end of the 95 % interval of the value by a bootstrap of whole families; None where there is none.
        high: its upper end.
        seeds: over how many seeds the value is a mean.
        spread: the standard deviation over the seeds; None for one seed.
        target: what is predicted, in tasks on predictions; "" in others.
    """

    task: str
    encoder: str
    metric: str
    value: float | None
    n: int
    split: str
    error: float | None = None
    seed: int | None = None
    encoder_id: str = ""
    data: str = ""
    low: float | None = None
    high: float | None = None
    seeds: int = 1
    spread: float | None = None
    target: str = ""


@dataclass(frozen=True)
class Predicted:
    """One prediction of accuracy on a held-out checkpoint.

    Args:
        id: of the checkpoint.
        dataset: that it was trained on.
        true: measured accuracy.
        value: predicted accuracy.
        low: lower end of the interval.
        high: upper end.
        in_domain: whether it is of the kind that the predictor was fitted on.
        family: see MapPoint.
    """

    id: str
    dataset: str
    true: float
    value: float
    low: float
    high: float
    in_domain: bool = True
    family: str = ""


@dataclass(frozen=True)
class Curve:
    """Accuracy and loss on held-out data along the interpolation of two networks.

    Args:
        a: id of the first.
        b: id of the second.
        label: data set and architecture.
        t: places, 0 at the first, 1 at the second, [T].
        accuracy: method (naive, aligned) -> [T].
        loss: method -> [T].
    """

    a: str
    b: str
    label: str
    t: tuple[float, ...]
    accuracy: dict[str, tuple[float, ...]]
    loss: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Neighbour:
    """A checkpoint near another one.

    Args:
        id: of the checkpoint.
        score: cosine of the two embeddings.
    """

    id: str
    score: float


@dataclass(frozen=True)
class Layer:
    """A block of weights of a checkpoint.

    Args:
        name: of the tensor.
        shape: as in the file.
        mean: of the weights.
        deviation: of the weights.
    """

    name: str
    shape: tuple[int, ...]
    mean: float
    deviation: float


@dataclass(frozen=True)
class MapPoint:
    """One checkpoint on the map of embeddings, which t-SNE draws.

    Args:
        id: of the checkpoint.
        x: place.
        y: place.
        architecture: as in the catalog.
        dataset: as in the catalog.
        accuracy: as in the catalog; None where it is unknown.
        run: as in the catalog.
        family: the first id of what it is connected with by runs, parents, merges and initial weights.
        split: train, validation, test or zero-shot.
        params: number of parameters.
        step: of training; None where it is unknown.
        parent: id of the parent, "" for none.
        derivation: how it came from its parent, "" for none.
        neighbours: the nearest others of the zoo by the main encoder, nearest first.
        layers: its weights, in the order of the data.
    """

    id: str
    x: float
    y: float
    architecture: str
    dataset: str
    accuracy: float | None
    run: str = ""
    family: str = ""
    split: str = ""
    params: int = 0
    step: int | None = None
    parent: str = ""
    derivation: str = ""
    neighbours: tuple[Neighbour, ...] = ()
    layers: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class RecallCurve:
    """Recall@k of one encoder or baseline on one retrieval task.

    Args:
        task: retrieval-*.
        encoder: whose.
        split: on which queries.
        depths: k, ascending.
        values: Recall@k of each.
    """

    task: str
    encoder: str
    split: str
    depths: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Calibration:
    """How often intervals hold the truth on held-out checkpoints.

    Args:
        encoder: whose vectors were predicted from.
        split: on which checkpoints.
        levels: stated coverages, ascending, 0 to 1.
        coverages: measured ones.
    """

    encoder: str
    split: str
    levels: tuple[float, ...]
    coverages: tuple[float, ...]


@dataclass(frozen=True)
class TrainingCurve:
    """How an encoder's training went.

    Args:
        encoder: its name.
        epochs: numbers of the epochs.
        loss: training loss of each.
        validation: score on validation runs, by which the epoch was chosen; its name is in `metric`.
        metric: what the score is.
        chosen: the epoch that was kept.
    """

    encoder: str
    epochs: tuple[int, ...]
    loss: tuple[float, ...]
    validation: tuple[float, ...]
    metric: str
    chosen: int


@dataclass(frozen=True)
class Evaluation:
    """All that an evaluation found.

    Args:
        results: the numbers, in the order of the tasks.
        predictions: encoder -> its predictions on the test split.
        zero_shot: encoder -> its predictions on the data set that no training network saw.
        curves: interpolations of pairs of the test split.
        map: the test and training checkpoints as the main encoder sees them.
        facts: what a reader must know about the zoo and the protocol: counts, strangers per query, seeds.
        recall: retrieval curves.
        calibration: of the intervals of predictions.
        training: of the encoders that keep how they were trained.
    """

    results: list[Result]
    predictions: dict[str, list[Predicted]] = field(default_factory=dict)
    zero_shot: dict[str, list[Predicted]] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    map: list[MapPoint] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    recall: list[RecallCurve] = field(default_factory=list)
    calibration: list[Calibration] = field(default_factory=list)
    training: list[TrainingCurve] = field(default_factory=list)
