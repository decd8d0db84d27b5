"""`wembed predict`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output

if TYPE_CHECKING:
    from wembed.cli.session import Session
    from wembed.evaluate.predicting import Prediction
    from wembed.prediction import Fitted
    from wembed.zoo import EmbedResult

COLUMNS = ("id", "target", "value", "low", "high", "in_domain", "split", "encoder")
OF_CLASSES, LAYERS = ("probability", "set"), ("layers",)
NAMED = 3  # of the networks that nothing is predicted of

Targets = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="NAME", help="accuracy (default), gap, dataset, learning_rate, ...; all for all."),
]
Level = Annotated[float, typer.Option("--level", help="How often intervals and sets shall hold the truth, 0 to 1.")]
Explain = Annotated[
    bool, typer.Option("--explain", help="How much each prediction falls when a layer's weights are shuffled.")
]


def predict(
    checkpoints: Annotated[
        list[str],
        typer.Argument(metavar="CKPT...", help=f"Checkpoints: {options.CHECKPOINT}; a folder of several is all of it."),
    ],
    target: Targets = None,
    level: Level = 0.9,
    explain: Explain = False,
    encoder: options.EncoderName = None,
    spec: options.Spec = None,
    seed: options.Seed = 0,
    zoo: options.Zoo = options.DEFAULT_ZOO,
    store: options.Store = None,
    device: options.Device = "auto",
    gpu: options.Gpu = False,
    format: options.Format = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Predict accuracy and other targets of checkpoints from their weights, as the zoo's training runs teach it.

    The interval holds the truth of nine in ten networks of the zoo's kind, or as --level says; of a class, the set
    does. in_domain says whether a network is of that kind: of a structure that was trained on, near by its vector, and
    with inputs put to the use that training networks put them to; where it is not, nothing is predicted. split says
    whether it is one of the zoo's own, of which train and validation are no evidence.

    Example: wembed predict model.safetensors --target accuracy --target dataset
    """
    from wembed.cli.session import Session, SessionOptions
    from wembed.cli.teaching import note_no_evidence
    from wembed.evaluate.predicting import check_level

    output = Output.choose(format, json, quiet)
    check_level(level)
    session = Session.start(output, SessionOptions(zoo, encoder, store, device, gpu), needs_zoo=True)
    asked = _Asked(
        list(_each(options.with_standard_input(checkpoints))), spec, target or ["accuracy"], level, explain, store
    )
    given = session.embed(asked.checkpoints, spec)
    told = _predictions(session, given, asked, seed) if given.done else _Told([], [])
    rows = [_row(prediction, output) for prediction in told.predictions]
    has_classes = any(each.kind == "category" for each in told.fitted)
    output.rows(rows, [*COLUMNS, *(OF_CLASSES if has_classes else ()), *(LAYERS if explain else ())])
    _note(output, rows)
    note_no_evidence(output, told.predictions)
    _note_unbounded(output, told.fitted, level)
    report_failures(output, [failure.error for failure in given.failures], len(given.done))


@dataclass(frozen=True)
class _Asked:
    """What a call asks for."""

    checkpoints: list[str]
    spec: Path | None
    targets: list[str]
    level: float
    explain: bool
    store: str | None


@dataclass(frozen=True)
class _Told:
    """What is told, and by what."""

    predictions: "list[Prediction]"
    fitted: "list[Fitted]"


def _predictions(session: "Session", given: "EmbedResult", asked: _Asked, seed: int) -> _Told:
    """What is told of embedded checkpoints; the zoo is embedded as far as it isn't yet."""
    from wembed.cli.teaching import fitted_targets, taught
    from wembed.evaluate.predicting import targets_of
    from wembed.zoo import locate_all

    zoo = session.kept.zoo
    targets_of(asked.targets, zoo.rows())
    teacher = taught(session, asked.store, seed)
    fitted = fitted_targets(session.output, teacher, asked.targets)
    own = teacher.transfers_of(locate_all(asked.checkpoints, zoo).located, asked.spec)
    found = teacher.predictions(given.done, own, fitted, asked.level)
    return _Told([teacher.explained(each, fitted, asked.spec) for each in found] if asked.explain else found, fitted)


def _each(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments, a folder of several checkpoints as these."""
    from wembed.checkpoint import find_checkpoints

    for argument in arguments:
        inside = find_checkpoints(Path(argument)) if Path(argument).is_dir() else []
        yield from map(str, inside) if inside else [argument]


def _row(prediction: "Prediction", output: Output) -> dict[str, object]:
    answer = prediction.answer
    told = (answer.target, answer.value, answer.low, answer.high, answer.in_domain)
    row = dict(zip(COLUMNS, (prediction.id, *told, prediction.split, prediction.encoder), strict=True))
    layers = [
        {"layer": each.layer, "effect": each.effect} if output.is_json else f"{each.layer} {each.effect:+.3f}"
        for each in prediction.layers
    ]
    return row | {"probability": answer.probability, "set": list(answer.classes), "layers": layers}


def _note(output: Output, rows: Sequence[dict[str, object]]) -> None:
    ids = list(dict.fromkeys(str(row["id"]) for row in rows))
    withheld = list(dict.fromkeys(str(row["id"]) for row in rows if not row["in_domain"]))
    if withheld:
        names = ", ".join([*withheld[:NAMED], *(["..."] if len(withheld) > NAMED else [])])
        output.note(f"nothing for {len(withheld)} of {len(ids)}, unlike what the predictor was fitted on: {names}")


def _note_unbounded(output: Output, fitted: "Sequence[Fitted]", level: float) -> None:
    """Says which intervals and sets hold all there is, for want of runs to calibrate them on."""
    from wembed.prediction import runs_needed

    for each in fitted:
        if not each.scores.is_bounded(level):
            found = f"found {each.scores.runs}, {100 * level:g} % needs {runs_needed(level)}"
            output.note(f"too few calibration runs for {each.target}, {found}: intervals and sets leave nothing out")
