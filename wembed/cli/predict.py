"""`wembed predict`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output

if TYPE_CHECKING:
    from wembed.cli.session import Session
    from wembed.zoo import Embedded

COLUMNS = ("id", "target", "value", "low", "high", "in_domain", "split", "encoder")
TARGET = "accuracy"
FITTED_ON = ("train", "validation")


def predict(
    checkpoints: Annotated[list[str], typer.Argument(metavar="CKPT...", help=f"Checkpoints: {options.CHECKPOINT}.")],
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
    """Predict the accuracy of checkpoints from their weights, as the zoo's training runs teach it.

    The interval holds the true accuracy of nine in ten networks of the zoo's kind; in_domain says whether one is of
    that kind; split says whether it is one of the zoo's own, of which train and validation are no evidence.

    Example: wembed predict model.safetensors
    """
    from wembed.cli.session import Session, SessionOptions

    output = Output.choose(format, json, quiet)
    session = Session.start(output, SessionOptions(zoo, encoder, store, device, gpu), needs_zoo=True)
    given = session.embed(checkpoints, spec)
    rows = _predicted(session, given.done, encoder or session.encoder.name, seed) if given.done else []
    output.rows(rows, COLUMNS)
    known = sum(row["split"] in FITTED_ON for row in rows)
    if known:
        output.note(f"{known} of {len(rows)} are among the checkpoints that the predictor was fitted on, no evidence")
    report_failures(output, [failure.error for failure in given.failures], len(given.done))


def _predicted(session: "Session", given: "Sequence[Embedded]", encoder: str, seed: int) -> list[dict[str, object]]:
    import numpy as np

    from wembed.catalog import assign_splits
    from wembed.evaluate.trained import split_seed_of, trainings_of
    from wembed.prediction import check_accuracies, fit_on_rows, known_split

    zoo = session.zoo
    if zoo is None:
        raise ValueError("this session has no zoo")
    rows = zoo.rows()
    check_accuracies(rows)
    found = session.embed_zoo(with_vectors=True)
    if found.failures:
        first = found.failures[0].error.message
        session.output.warn(f"{len(found.failures)} checkpoints of the zoo are passed over, first {first}")
    vectors = {entry.id: entry.vector for entry in found.done if entry.vector is not None}
    split_seed = split_seed_of(trainings_of(zoo, [encoder]), seed)
    splits = assign_splits(rows, split_seed)
    predictor = fit_on_rows(rows, vectors, split_seed, seed)
    wanted = [(entry.id, entry.vector) for entry in given if entry.vector is not None]
    answers = predictor.predict(np.array([vector for _, vector in wanted]))
    return [
        {
            "id": name,
            "target": TARGET,
            "value": float(answers.values[place]),
            "low": float(answers.low[place]),
            "high": float(answers.high[place]),
            "in_domain": bool(answers.in_domain[place]),
            "split": known_split(vector, rows, vectors, splits),
            "encoder": session.encoder.name,
        }
        for place, (name, vector) in enumerate(wanted)
    ]
