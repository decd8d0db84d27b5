"""Bars: how often each encoder finds what it should, and how well each orders networks by accuracy."""

from collections.abc import Sequence
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from wembed.evaluate.results import Evaluation, Result
from wembed.report.lookup import RECALLS, RETRIEVAL, TEST, find, names, rows_of, splits
from wembed.report.style import INK, PALE, encoder_colours, new_figure

_LINE = 60  # characters of a title
_ROOM = 0.84  # of the width between two groups of bars
_LABELS = {"recall@1": "Recall@1", "recall@5": "Recall@5", "recall@10": "Recall@10", "mrr": "MRR"}


def retrieval(evaluation: Evaluation) -> Figure:
    """One panel per protocol and split; what does not apply to an encoder is marked n/a."""
    tasks = [task for task in RETRIEVAL if rows_of(evaluation, task)]
    rows = [row for task in tasks for row in rows_of(evaluation, task) if row.metric in RECALLS]
    shown, everyone = splits(rows), names(rows)
    colours = encoder_colours(everyone)
    figure = new_figure(6.2 * len(shown), 3.4 * len(tasks) + 0.8)
    panels = figure.subplots(len(tasks), len(shown), squeeze=False, sharey=True)
    for task, line in zip(tasks, panels, strict=True):
        for split, axes in zip(shown, line, strict=True):
            _retrieval_panel(axes, evaluation, task, split, [name for name in everyone if _is_in(rows, name, split)])
        line[0].set_ylabel("share of queries; mean of 1 / rank")
    handles = [Patch(color=colours[name], label=name) for name in everyone]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(everyone), 7))
    return figure


def prediction_tau(evaluation: Evaluation) -> Figure:
    """Kendall's tau between predicted and true accuracy, and the same as a share of the largest that is possible."""
    rows = [row for row in rows_of(evaluation, "prediction", TEST) if row.metric == "tau" and row.value is not None]
    rows.sort(key=lambda row: row.value or 0.0)
    everyone = [row.encoder for row in rows]
    colours = encoder_colours(everyone)
    figure = new_figure(7.5, 1.6 + 0.42 * len(rows))
    axes = figure.subplots()
    taus = [row.value or 0.0 for row in rows]
    errors = [row.error or 0.0 for row in rows]
    axes.barh(everyone, taus, xerr=errors, color=[colours[name] for name in everyone], height=0.62, ecolor=INK)
    shares = [find(evaluation, "prediction", name, "tau/tau_max", TEST) for name in everyone]
    known = [(share.value, place) for place, share in enumerate(shares) if share and share.value is not None]
    axes.scatter(
        [x for x, _ in known], [y for _, y in known], marker="D", s=34, c="white", edgecolors="black", zorder=3
    )
    for place, tau in enumerate(taus):
        right = max(tau + errors[place], *[x for x, y in known if y == place], 0.0)
        axes.annotate(f"{tau:.3f}", (right, place), (8, 0), textcoords="offset points", va="center")
    axes.axvline(0, color=PALE, linewidth=0.8)
    axes.set_xlim(min(0.0, *taus) - 0.05, 1.12)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("bar and number: Kendall's tau;  diamond: tau / largest possible tau")
    axes.set_title(f"Order of accuracy predicted for {rows[0].n} checkpoints of held-out runs")
    return figure


def _is_in(rows: Sequence[Result], name: str, split: str) -> bool:
    return any(row.encoder == name and row.split == split for row in rows)


def _retrieval_panel(axes: Axes, evaluation: Evaluation, task: str, split: str, everyone: Sequence[str]) -> None:
    colours = encoder_colours(everyone)
    width = _ROOM / max(len(everyone), 1)
    counts = {0}
    for place, name in enumerate(everyone):
        for group, metric in enumerate(RECALLS):
            found = find(evaluation, task, name, metric, split)
            x = group + (place - (len(everyone) - 1) / 2) * width
            _bar(axes, x, width, found, colours[name])
            counts |= {found.n} if found else set()
    axes.set_xticks(range(len(RECALLS)), [_LABELS[metric] for metric in RECALLS])
    axes.set_xlim(-0.55, len(RECALLS) - 0.45)
    axes.set_ylim(0, 1.2)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.grid(visible=False, axis="x")
    axes.set_title(f"Finding {RETRIEVAL[task]}\n{_where(split)}, {max(counts)} queries")


def _bar(axes: Axes, x: float, width: float, row: Result | None, colour: str) -> None:
    if row is None or row.value is None:
        _number(axes, x, 0.0, "n/a", PALE)
        return
    axes.bar(x, row.value, width * 0.92, yerr=row.error, color=colour, ecolor=INK, error_kw={"elinewidth": 0.9})
    _number(axes, x, row.value + (row.error or 0.0), f"{row.value:.2f}".removeprefix("0"), INK)


def _number(axes: Axes, x: float, y: float, text: str, tone: str) -> None:
    axes.annotate(
        text, (x, y), (0, 3), textcoords="offset points", ha="center", va="bottom", rotation=90, size=7.5, color=tone
    )


def _where(split: str) -> str:
    """`test:LABEL` in words."""
    if ":" not in split:
        return "all architectures"
    return fill(f"only {split.partition(':')[2].replace('+', ', ')}", _LINE)
