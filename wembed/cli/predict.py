"""`wembed predict`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from wembed.cli import options
from wembed.cli.failures import report_failures
from wembed.cli.output import Output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wembed.cli.session import Session
    from wembed.zoo import Embedded

COLUMNS = ("id", "target", "value", "low", "high", "in_domain", "split", "encoder")
TARGET = "accuracy"
FITTED_ON = ("train", "validation")
NAMED = 3  # of the networks that nothing is predicted of


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

    The interval holds the true accuracy of nine in ten networks of the zoo's kind. in_domain says whether one is of
    that kind: of a structure that was trained on, and near by its vector; where it is not, nothing is predicted. split
    says whether it is one of the zoo's own, of which train and validation are no evidence.

    Example: wembed predict model.safetensors
    """
    from wembed.cli.session import Session, SessionOptions

    output = Output.choose(format, json, quiet)
    session = Session.start(output, SessionOptions(zoo, encoder, store, device, gpu), needs_zoo=True)
    given = session.embed(checkpoints, spec)
    rows = _predicted(session, given.done, seed) if given.done else []
    output.rows(rows, COLUMNS)
    withheld = [str(row["id"]) for row in rows if not row["in_domain"]]
    if withheld:
        names = ", ".join([*withheld[:NAMED], *(["..."] if len(withheld) > NAMED else [])])
        output.note(f"no accuracy for {len(withheld)} of {len(rows)}, unlike what the predictor was fitted on: {names}")
    known = sum(row["split"] in FITTED_ON for row in rows)
    if known:
        output.note(f"{known} of {len(rows)} are among the checkpoints that the predictor was fitted on, no evidence")
    report_failures(output, [failure.error for failure in given.failures], len(given.done))


def _predicted(session: "Session", given: "Sequence[Embedded]", seed: int) -> list[dict[str, object]]:
    """The rows of embedded checkpoints; the zoo is embedded as far as it isn't yet."""
    import numpy as np

    from wembed.catalog import assign_splits
    from wembed.evaluate.trained import hold_out_of, split_seed_of, trainings_of
    from wembed.prediction import (
        check_accuracies,
        fit_on_rows,
        fitted_structures,
        known_split,
        learned_part,
        withhold,
    )

    zoo = session.zoo
    if zoo is None:
        raise ValueError("this session has no zoo")
    rows = zoo.rows()
    check_accuracies(rows)
    vectors = _vectors_of_zoo(session)
    trainings = trainings_of(zoo, [session.name])
    split_seed, hold_out = split_seed_of(trainings, seed), hold_out_of(trainings)
    learned = learned_part(session.encoder, np.array(list(vectors.values())))
    predictor = fit_on_rows(rows, dict(zip(vectors, learned, strict=True)), split_seed, seed, hold_out)
    wanted = {entry.id: entry.vector for entry in given if entry.vector is not None}
    wanted_vectors = np.array(list(wanted.values()))
    structures = fitted_structures(rows, vectors, split_seed, hold_out)
    is_fitted = np.array([entry.structure in structures for entry in given if entry.vector is not None])
    found = withhold(predictor.predict(learned_part(session.encoder, wanted_vectors)), is_fitted)
    splits = assign_splits(rows, split_seed, hold_out)
    sides = [known_split(vector, rows, vectors, splits) for vector in wanted.values()]
    columns = (found.values.tolist(), found.low.tolist(), found.high.tolist(), found.in_domain.tolist(), sides)
    return [
        dict(zip(COLUMNS, (name, TARGET, *values, session.name), strict=True))
        for name, *values in zip(wanted, *columns, strict=True)
    ]


def _vectors_of_zoo(session: "Session") -> "dict[str, NDArray[np.float32]]":
    """Id -> embedding of what can be embedded, with one warning about what can't."""
    found = session.embed_zoo(with_vectors=True)
    if found.failures:
        first = found.failures[0].error.message
        session.output.warn(f"{len(found.failures)} checkpoints of the zoo are passed over, first {first}")
    return {entry.id: entry.vector for entry in found.done if entry.vector is not None}
