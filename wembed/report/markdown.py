"""results.md: what was run, what came out beside what, what it means, and what it does not show."""

from collections.abc import Mapping, Sequence

from wembed.evaluate.results import Evaluation, Result
from wembed.report.figures import Drawing
from wembed.report.lookup import RETRIEVAL, main_encoder, rows_of, splits
from wembed.report.midpoints import METRIC
from wembed.report.reading import note_on_errors, sentences
from wembed.report.tables import MAIN_METRICS, count_text, result_table, split_table, text_table

FIGURES = "figures"
STRANGERS = "strangers of the same configuration per query, least"  # the name of a fact
_FAIR = 20  # strangers of the same configuration per query
_SECTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "map": ("Map", ()),
    "retrieval": ("Retrieval", ("retrieval-snapshot", "retrieval-noised")),
    "prediction": ("Accuracy from weights", ("prediction", "accuracy")),
    "zero-shot": ("Accuracy on a data set never seen", ("zero-shot",)),
    "merging": ("Merging", ("merging",)),
}
_TASK_NOTES = {
    "retrieval-snapshot": "Query: an earlier snapshot of a held-out run, its neurons permuted and rescaled. To be "
    "found: the last snapshot of that run, among those of all runs.",
    "retrieval-noised": "Query: a held-out checkpoint with weight noise, its neurons permuted and rescaled. To be "
    "found: the checkpoint itself, among all of the zoo.",
    "prediction": "Fitted on training runs, settled on validation runs, measured on test runs; the same for every row.",
    "accuracy": "Two rows of the table above on one and the same draw of test runs (paired bootstrap): how much more "
    "of the order the first tells.",
    "zero-shot": "The same predictors, on networks of a data set that is in no training run.",
    "merging": "Pairs of held-out networks of one shape, trained independently.",
}
_LIMITS = (
    "One zoo and one seed: other zoos, those of larger networks above all, may order the rows differently.",
    "Queries and snapshots of one run are not independent: n counts them all, so it promises more than there is.",
    "Permutation, rescaling and noise are drawn by this program. Fine-tuning, pruning or distillation are not in it.",
    "A zoo's members share their hyperparameter ranges; networks that were trained otherwise are not in it.",
    "t-SNE keeps neighbours and not distances: gaps and sizes of clusters on the maps mean nothing.",
)


def to_markdown(evaluation: Evaluation, drawings: Sequence[Drawing], title: str) -> str:
    """The text of results.md.

    Args:
        evaluation: what was found.
        drawings: the figures that stand in figures/.
        title: what was run, in a word.
    """
    blocks = [f"# Results: {title}", *_opening(evaluation), *_facts(evaluation), *_reading(evaluation)]
    for section, (heading, tasks) in _SECTIONS.items():
        body = [block for task in tasks for block in _task(evaluation, task)]
        body += [_figure(drawing) for drawing in drawings if drawing.section == section]
        blocks += [f"## {heading}", *body] if body else []
    blocks += ["## Limits", "\n".join(f"- {limit}" for limit in [*_few_strangers(evaluation), *_LIMITS])]
    return "\n\n".join(blocks) + "\n"


def _opening(evaluation: Evaluation) -> list[str]:
    return [
        f"{main_encoder(evaluation)} beside its baselines, measured on checkpoints that no training saw: whole runs "
        "are held out, never single snapshots. Bold: the best of a column; n/a: does not apply; ↑ and ↓: which way is "
        "better. `results.json` holds all numbers."
    ]


def _facts(evaluation: Evaluation) -> list[str]:
    flat = [(name.replace("_", " "), _fact(fact)) for name, fact in evaluation.facts.items()]
    return ["## What was run", "\n".join(text_table(["what", "value"], flat, "---"))] if flat else []


def _fact(fact: object) -> str:
    match fact:
        case Mapping():
            return ", ".join(f"{name}: {_fact(entry)}" for name, entry in fact.items()) or "none"
        case list() | tuple():
            return ", ".join(map(_fact, fact)) or "none"
        case float():
            return f"{fact:.4g}"
        case None:
            return "n/a"
        case _:
            return str(fact)


def _reading(evaluation: Evaluation) -> list[str]:
    found = sentences(evaluation)
    return ["## Reading", "\n".join(f"- {sentence}" for sentence in found), note_on_errors(evaluation)] if found else []


def _few_strangers(evaluation: Evaluation) -> list[str]:
    """What to say where a query has fewer strangers of its own kind than a fair search needs."""
    found = []
    for task in RETRIEVAL:
        fact = evaluation.facts.get(task)
        least = fact.get(STRANGERS) if isinstance(fact, Mapping) else None
        if isinstance(least, int) and least < _FAIR:
            found.append(f"{task}: some queries have only {least} strangers of their configuration to be told from.")
    return found


def _task(evaluation: Evaluation, task: str) -> list[str]:
    rows = rows_of(evaluation, task)
    blocks = [f"### {task}", _TASK_NOTES[task]] if rows else []
    whole = splits(rows) if task != "merging" else splits(rows)[:1]
    for split in whole:
        blocks += _tables([row for row in rows if row.split == split], task, split)
    rest = [row for row in rows if row.split not in whole]
    return [*blocks, *(["By configuration:", "\n".join(split_table(rest, METRIC))] if rest else [])]


def _tables(rows: Sequence[Result], task: str, split: str) -> list[str]:
    mains = MAIN_METRICS[task]
    others = list(dict.fromkeys(row.metric for row in rows if row.metric not in mains))
    chosen = [row for row in rows if row.metric in mains] or rows
    blocks = [f"Split `{split}`, n = {count_text(row.n for row in chosen)}:"]
    if chosen is not rows:
        blocks.append("\n".join(result_table(rows, mains)))
    if others:
        blocks += ["Further measures:", "\n".join(result_table(rows, others))]
    return blocks


def _figure(drawing: Drawing) -> str:
    return f"![{drawing.name}]({FIGURES}/{drawing.name}.png)\n\n*{drawing.caption}*"
