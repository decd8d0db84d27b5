"""An evaluation and a folder in; results.json, results.md and the figures in it, each file whole or not at all."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from wembed.errors import WembedError
from wembed.evaluate.results import Evaluation
from wembed.report.figures import draw_all
from wembed.report.markdown import FIGURES, to_markdown
from wembed.report.results_file import FILE, to_text
from wembed.report.style import save_png

MARKDOWN = "results.md"
Progress = Callable[[int, int], None]


def write_report(evaluation: Evaluation, folder: Path, title: str = "", progress: Progress | None = None) -> list[Path]:
    """Writes a report; what an earlier one left and this one has no numbers for is deleted.

    Args:
        evaluation: what was found.
        folder: where the report goes; made if it isn't there.
        title: what was run; default: the folder's name.
        progress: takes how many figures are done, of how many.

    Returns:
        What was written: results.md, results.json, and the figures in the order in which they stand in results.md.

    Raises:
        WembedError: if a file can't be written.
    """
    drawn = draw_all(evaluation)
    figures = folder / FIGURES
    names = [f"{one.drawing.name}.png" for one in drawn]
    text = to_markdown(evaluation, [one.drawing for one in drawn], title or folder.resolve().name)
    try:
        figures.mkdir(parents=True, exist_ok=True)
        for place, (one, name) in enumerate(zip(drawn, names, strict=True), start=1):
            _write(figures / name, partial(save_png, one.figure))
            (progress or _silent)(place, len(drawn))
        _write(folder / FILE, lambda path: path.write_text(to_text(evaluation), encoding="utf-8"))
        _write(folder / MARKDOWN, lambda path: path.write_text(text, encoding="utf-8"))
        for stale in set(figures.glob("*.png")) - {figures / name for name in names}:
            stale.unlink()
    except OSError as error:
        raise WembedError(f"cannot write the report to {folder}: {(error.strerror or str(error)).lower()}") from error
    return [folder / MARKDOWN, folder / FILE, *(figures / name for name in names)]


def _silent(done: int, total: int) -> None:
    """Says nothing."""


def _write(path: Path, write: Callable[[Path], object]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
