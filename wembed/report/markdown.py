"""results.md: what was run, what came out beside what, what it means, and what it does not show."""

from collections.abc import Mapping, Sequence

from wembed.evaluate.results import Evaluation, Result
from wembed.report.figures.drawings import ONE_SEED, Drawing, possible
from wembed.report.figures.midpoints import METRIC
from wembed.report.headline import headlines
from wembed.report.limits import limits
from wembed.report.lookup import (
    COMPARED,
    HELD_OUT,
    POOLED,
    main_encoder,
    names,
    rows_of,
    splits,
    targets,
    tasks,
)
from wembed.report.reading import note_on_errors, sentences
from wembed.report.tables import (
    cell_text,
    count_text,
    headline_table,
    metric_table,
    result_table,
    split_table,
    text_table,
)
from wembed.report.tasks import SECTIONS, wording
from wembed.report.words import in_one_line

FIGURES = "figures"
_HELD_OUT_METRICS = ("tau/tau_max", "r2", "mae", "coverage")
_HELD_OUT_NOTE = (
    "A part of the zoo is left out when the regression is fitted, and measured on. Where a row says `(head only)`, the "
    "encoder below the regression was trained on networks of that part."
)


def to_markdown(evaluation: Evaluation, drawings: Sequence[Drawing], title: str) -> str:
    """The text of results.md.

    Args:
        evaluation: what was found.
        drawings: the figures that stand in figures/.
        title: what was run, in a word.
    """
    blocks = [f"# Results: {in_one_line(title)}", *_opening(evaluation), *_facts(evaluation)]
    blocks += [*_headline(evaluation), *_reading(evaluation)]
    for section, heading in SECTIONS.items():
        body = _section(evaluation, section)
        body += [_figure(drawing) for drawing in drawings if drawing.section == section]
        blocks += [f"## {heading}", *body] if body else []
    blocks += ["## Limits", "\n".join(f"- {limit}" for limit in limits(evaluation))]
    return "\n\n".join(blocks) + "\n"


def _opening(evaluation: Evaluation) -> list[str]:
    return [
        f"{in_one_line(main_encoder(evaluation))} beside its baselines, measured on checkpoints that no training saw: "
        "whole runs "
        "are held out, never single snapshots. Bold: the best of a column; n/a: does not apply; ↑ and ↓: which way is "
        f"better. {note_on_errors(evaluation)} `results.json` holds all numbers, `{FIGURES}/` every figure as PNG and "
        "as SVG.",
        *_first_seed(evaluation),
    ]


def _first_seed(evaluation: Evaluation) -> list[str]:
    """What is no mean over seeds, where the numbers are."""
    if POOLED not in evaluation.facts:
        return []
    shown = [drawing.name for drawing in possible(evaluation) if drawing.name in ONE_SEED]
    return [f"Of the first seed only, since they show single checkpoints: {', '.join(shown)}."] if shown else []


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


def _headline(evaluation: Evaluation) -> list[str]:
    blocks = []
    for table in headlines(evaluation):
        blocks += [f"On {in_one_line(table.title)}:", "\n".join(headline_table(evaluation, table))]
    return ["## Headline", *blocks] if blocks else []


def _reading(evaluation: Evaluation) -> list[str]:
    found = sentences(evaluation)
    return ["## Reading", "\n".join(f"- {sentence}" for sentence in found)] if found else []


def _section(evaluation: Evaluation, section: str) -> list[str]:
    if section == "held-out":
        return _held_out(evaluation)
    own = [task for task in tasks(evaluation) if wording(task).section == section]
    blocks = [block for task in own for block in _task(evaluation, task)]
    return [*blocks, *_targets(evaluation)] if section == "targets" else blocks


def _task(evaluation: Evaluation, task: str) -> list[str]:
    if task == COMPARED:
        return _compared(evaluation)
    rows = [row for row in rows_of(evaluation, task) if not row.split.startswith(HELD_OUT)]
    note = wording(task).note
    blocks = [f"### {in_one_line(task)}", *([note] if note else [])] if rows else []
    whole = splits(rows) if task != "merging" else splits(rows)[:1]
    for split in whole:
        blocks += _tables([row for row in rows if row.split == split], task, split)
    rest = [row for row in rows if row.split not in whole]
    return [*blocks, *_seeds(rows), *(["By configuration:", "\n".join(split_table(rest, METRIC))] if rest else [])]


def _compared(evaluation: Evaluation) -> list[str]:
    """Who finds more often than whom: a line per pair, a column per retrieval task."""
    rows = [row for row in evaluation.results if row.task == COMPARED]
    asked, blocks = list(dict.fromkeys(row.target for row in rows)), [f"### {COMPARED}", wording(COMPARED).note]
    for split in splits(rows):
        found = {(row.encoder, row.target): row for row in rows if row.split == split}
        body = [
            [pair, *(cell_text(found[pair, task]) if (pair, task) in found else "" for task in asked)]
            for pair in names(row for row in rows if row.split == split)
        ]
        heads = ["difference of Recall@1", *(task.removeprefix("retrieval-") for task in asked)]
        blocks += [f"Split `{in_one_line(split)}`:", "\n".join(text_table(heads, body))]
    return blocks


def _held_out(evaluation: Evaluation) -> list[str]:
    rows = [row for row in evaluation.results if row.split.startswith(HELD_OUT) and row.target in ("", "accuracy")]
    metrics = [metric for metric in _HELD_OUT_METRICS if any(row.metric == metric for row in rows)]
    return [_HELD_OUT_NOTE, *("\n".join(split_table(rows, metric)) for metric in metrics)] if rows else []


def _targets(evaluation: Evaluation) -> list[str]:
    """What is predicted beside accuracy, a table for each."""
    blocks = []
    for target in targets(evaluation.results):
        rows = [row for row in evaluation.results if row.target == target]
        blocks.append(f"### {in_one_line(target)}")
        for task, split in dict.fromkeys((row.task, row.split) for row in rows):
            blocks += _tables([row for row in rows if (row.task, row.split) == (task, split)], task, split)
    return blocks


def _tables(rows: Sequence[Result], task: str, split: str) -> list[str]:
    mains = wording(task).metrics
    others = list(dict.fromkeys(row.metric for row in rows if row.metric not in mains))
    chosen = [row for row in rows if row.metric in mains] or rows
    blocks = [f"Split `{in_one_line(split)}`, n = {count_text(row.n for row in chosen)}:"]
    if chosen is not rows:
        blocks.append("\n".join(result_table(rows, mains)))
        blocks += ["Further measures:"] if others else []
    return [*blocks, *(["\n".join(_further(rows, others))] if others else [])]


def _further(rows: Sequence[Result], metrics: Sequence[str]) -> list[str]:
    """A table that is longer than it is wide."""
    chosen = [row for row in rows if row.metric in metrics]
    return (metric_table if len(metrics) > len(names(chosen)) else result_table)(chosen, metrics)


def _seeds(rows: Sequence[Result]) -> list[str]:
    """How far seeds are apart, where there were several."""
    several = [row for row in rows if row.seeds > 1 and row.spread is not None]
    if not several:
        return []
    widest = max(several, key=lambda row: row.spread or 0.0)
    count = count_text(row.seeds for row in several)
    row = in_one_line(f"{widest.encoder}, {widest.metric}, `{widest.split}`")
    return [f"Means over {count} seeds; the largest standard deviation over them is {widest.spread:.3f} ({row})."]


def _figure(drawing: Drawing) -> str:
    return f"![{drawing.name}]({FIGURES}/{drawing.name}.png)\n\n*{drawing.caption}*"
