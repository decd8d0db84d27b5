"""Checkpoints in; their accuracies as a zoo's encoder predicts them out, by which a merge may weigh them."""

from collections.abc import Sequence
from pathlib import Path

from wembed.cli.output import Output
from wembed.cli.session import Session, SessionOptions
from wembed.cli.teaching import fitted_targets, note_no_evidence, taught
from wembed.errors import WembedError
from wembed.prediction import ACCURACY, COVERAGE
from wembed.zoo import embed_given, locate_all


def predicted_accuracies(
    output: Output, names: Sequence[str], encoder: str | None, zoo: Path, device: str
) -> list[float]:
    """Gives what `wembed predict` says of the accuracy of each checkpoint.

    Args:
        output: how to speak.
        names: of the checkpoints.
        encoder: name of the encoder; None for the zoo's newest.
        zoo: what teaches.
        device: to embed on.

    Raises:
        NotFoundError: there is no zoo, or an empty one.
        WembedError: a checkpoint can't be embedded, or nothing is predicted of it.
    """
    session = Session.start(output, SessionOptions(zoo, encoder, None, device, False), needs_zoo=True)
    each = list(dict.fromkeys(names))
    located, failures = locate_all(each, session.zoo)
    given = embed_given(located, session.zoo, session.encoder, session.table)
    if failures := [*failures, *given.failures]:
        raise failures[0].error
    teacher = taught(session, None, seed=0)
    fitted = fitted_targets(output, teacher, [ACCURACY.name])
    found = teacher.predictions(given.done, teacher.transfers_of(located), fitted, COVERAGE)
    note_no_evidence(output, found)
    values = {prediction.id: prediction.answer.value for prediction in found}
    ids = {name: entry.id for name, entry in zip(each, given.done, strict=True)}
    return [_told(name, values[ids[name]]) for name in names]


def _told(name: str, value: object) -> float:
    if not isinstance(value, float):
        hint = "give --weights with numbers, or leave them out"
        raise WembedError(f"no accuracy is predicted of {name!r}, it is unlike what the predictor was fitted on", hint)
    return value
