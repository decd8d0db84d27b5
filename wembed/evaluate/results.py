"""What an evaluation finds: rows for the table, and what the figures are drawn from."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """One number.

    Args:
        task: retrieval-noised, retrieval-snapshot, prediction, accuracy (two predictions compared), zero-shot,
            merging.
        encoder: what reached it: an encoder's name or a baseline's; A-B for what A reaches less what B does.
        metric: such as recall@1, mrr, r2, mse, spearman, tau, tau/tau_max, tau_difference, midpoint_accuracy.
        value: None where it does not apply.
        n: over how many queries, checkpoints or pairs.
        split: on which checkpoints: test, zero-shot, or test:LABEL for those of one shape.
        error: the standard error of the value, whole runs taken as independent; None where it isn't known.
        seed: of all that was drawn for it; None where an evaluation did not say so yet.
        encoder_id: what gave the vectors, see Encoder.id; of two that are compared both, with a blank between; "" for
            what needs none.
        data: hash of the checkpoints, see Material.
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
    """

    id: str
    dataset: str
    true: float
    value: float
    low: float
    high: float


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
class MapPoint:
    """One checkpoint on the map of embeddings, which t-SNE draws.

    Args:
        id: of the checkpoint.
        x: place.
        y: place.
        architecture: as in the catalog.
        dataset: as in the catalog.
        accuracy: as in the catalog.
    """

    id: str
    x: float
    y: float
    architecture: str
    dataset: str
    accuracy: float


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
    """

    results: list[Result]
    predictions: dict[str, list[Predicted]] = field(default_factory=dict)
    zero_shot: dict[str, list[Predicted]] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    map: list[MapPoint] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
