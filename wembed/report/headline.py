"""An evaluation in; its headline out: every encoder and baseline by what a reader asks for first."""

from collections.abc import Sequence
from dataclasses import dataclass

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import (
    TEST,
    ZERO_SHOT,
    find,
    is_asked,
    is_control,
    main_encoder,
    names,
    retrieval_tasks,
    shape_split,
)

RANK = "tau/tau_max"
FIRST = "recall@1"


@dataclass(frozen=True)
class Question:
    """A column of the headline table.

    Args:
        head: what stands above it.
        below: what it is of, in a few words.
        task: of the numbers.
        metric: of the numbers.
        split: of the numbers.
    """

    head: str
    below: str
    task: str
    metric: str
    split: str

    def answer(self, evaluation: Evaluation, encoder: str) -> Result | None:
        """The number of one encoder."""
        return find(evaluation, self.task, encoder, self.metric, self.split)


@dataclass(frozen=True)
class Headline:
    """A headline table.

    Args:
        title: on which checkpoints.
        questions: the columns.
        encoders: the lines: the main encoder, the others and the baselines, then controls.
    """

    title: str
    questions: list[Question]
    encoders: list[str]


def headlines(evaluation: Evaluation) -> list[Headline]:
    """The table over all architectures, and that of one shape, where there are such numbers."""
    whole, shape = questions(evaluation), shape_split(evaluation)
    found = [Headline("all architectures", whole, encoders(evaluation, whole))]
    if shape:
        part = questions(evaluation, shape)
        found.append(Headline(f"only {shape.partition(':')[2]}", part, encoders(evaluation, part)))
    return [table for table in found if table.encoders]


def headline_results(evaluation: Evaluation) -> list[Result]:
    """The numbers of all headline tables, a row each."""
    answers = (
        question.answer(evaluation, name)
        for table in headlines(evaluation)
        for name in table.encoders
        for question in table.questions
    )
    return [row for row in answers if row]


def questions(evaluation: Evaluation, split: str = TEST) -> list[Question]:
    """The columns that some encoder has a number in, of the checkpoints of a split."""
    retrieval = [
        Question("Recall@1", task.removeprefix("retrieval-").replace("-", " "), task, FIRST, split)
        for task in retrieval_tasks(evaluation)
        if is_asked(evaluation, task, split)
    ]
    sealed = Question("tau / tau max", "accuracy, unseen data set", ZERO_SHOT, RANK, ZERO_SHOT)
    asked = [
        Question("tau / tau max", "accuracy, held-out runs", "prediction", RANK, split),
        *retrieval,
        *([sealed] if split == TEST else []),
    ]
    everyone = names(evaluation.results)
    return [one for one in asked if any(one.answer(evaluation, encoder) for encoder in everyone)]


def encoders(evaluation: Evaluation, asked: Sequence[Question]) -> list[str]:
    """The lines: the main encoder, the others and the baselines, then controls."""
    main = main_encoder(evaluation)
    found = [name for name in names(evaluation.results) if any(one.answer(evaluation, name) for one in asked)]
    return sorted(found, key=lambda name: (is_control(name), name != main))
