"""An evaluation in; what it does not show out, a sentence each."""

from collections.abc import Mapping

from wembed.evaluate.results import Evaluation
from wembed.report.lookup import retrieval_tasks

STRANGERS = "strangers of the same configuration per query, least"  # the name of a fact
_OF_OTHER_KINDS = ("retrieval-dataset", "retrieval-architecture")  # which have no strangers of the same by design
_FAIR = 20  # strangers of the same configuration per query
_LIMITS = (
    "One zoo: others, those of larger networks above all, may order the rows differently.",
    "Queries and snapshots of one run are not independent: n counts them all, so it promises more than there is.",
    "Permutation, rescaling, noise and damage are drawn by this program.",
    "A zoo's members share their hyperparameter ranges; networks that were trained otherwise are not in it.",
    "t-SNE keeps neighbours and not distances: gaps and sizes of clusters on the maps mean nothing.",
)


def limits(evaluation: Evaluation) -> list[str]:
    """Those of this evaluation, then those of all."""
    return [*_few_strangers(evaluation), *_LIMITS]


def _few_strangers(evaluation: Evaluation) -> list[str]:
    """What to say where a query has fewer strangers of its own kind than a fair search needs."""
    found = []
    for task in dict.fromkeys([*retrieval_tasks(evaluation), *evaluation.facts]):
        least = _least_strangers(evaluation.facts.get(task))
        if least is not None and least < _FAIR and task not in _OF_OTHER_KINDS:
            found.append(f"{task}: some queries have only {least} strangers of their configuration to be told from.")
    return found


def _least_strangers(fact: object) -> int | None:
    """What a fact says of a task, or says of it in each of several runs."""
    if not isinstance(fact, Mapping):
        return None
    every = [fact.get(STRANGERS), *map(_least_strangers, fact.values())]
    return min((least for least in every if isinstance(least, int)), default=None)
