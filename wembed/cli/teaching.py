"""A session and what is to be predicted in; what its zoo teaches, and what is to be said of it, out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wembed.cli.output import Output

if TYPE_CHECKING:
    from wembed.cli.session import Session
    from wembed.evaluate.predicting import Prediction, Teacher
    from wembed.prediction import Fitted

_FITTED_ON = ("train", "validation")


def taught(session: "Session", store: str | None, seed: int) -> "Teacher":
    """The zoo of a session, embedded, with one warning about what can't be.

    Args:
        session: that has a zoo.
        store: of embeddings; None for the zoo's own.
        seed: of the split and of the fits.
    """
    from wembed.evaluate.predicting import teacher_of

    with session.output.progress("embedding") as progress:
        teacher = teacher_of(session.kept.zoo, session.name, session.encoder, store, seed, progress)
    if teacher.failures:
        first = teacher.failures[0].error.message
        session.output.warn(f"{len(teacher.failures)} checkpoints of the zoo are passed over, first {first}")
    return teacher


def fitted_targets(output: Output, teacher: "Teacher", names: Sequence[str]) -> "list[Fitted]":
    """The predictors of some targets, with a note on each that is passed over."""
    from wembed.evaluate.predicting import fit_targets

    return fit_targets(teacher, names, lambda message: output.note(f"passed over, {message}"))


def note_no_evidence(output: Output, predictions: "Sequence[Prediction]") -> None:
    """Says how many of some checkpoints a predictor was fitted on."""
    sides = {prediction.id: prediction.split for prediction in predictions}
    if known := sum(side in _FITTED_ON for side in sides.values()):
        told = f"{known} of {len(sides)} are among the checkpoints that the predictor was fitted on, no evidence"
        output.note(told)
