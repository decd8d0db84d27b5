"""An evaluation and a folder in; in it results.json, results.md, report.html and figures, each whole or not at all."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from wembed.errors import WembedError
from wembed.evaluate.results import Evaluation
from wembed.report.figures import DRAWINGS, possible, save_png, save_svg, styled
from wembed.report.markdown import FIGURES, to_markdown
from wembed.report.page import write_page
from wembed.report.results_file import FILE, to_text
from wembed.zoo.progress import Progress, silent

MARKDOWN = "results.md"
PAGE = "report.html"
_ENDINGS = {".png": save_png, ".svg": save_svg}


def make_folder(folder: Path) -> None:
    """Makes the folder of a report, and writes a first byte into it: what can't be written is said before the work.

    Raises:
        WembedError: if it can't be made or written to.
    """
    trial = folder / f".trial.{os.getpid()}.partial"
    try:
        (folder / FIGURES).mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_report(evaluation: Evaluation, folder: Path, title: str = "", progress: Progress = silent) -> list[Path]:
    """Writes a report; figures that an earlier one left and this one has no numbers for are deleted.

    Args:
        evaluation: what was found.
        folder: where the report goes; made if it isn't there.
        title: what was run; default: the folder's name.
        progress: takes how many figures are done, of how many.

    Returns:
        What was written: results.md, results.json, report.html, and the figures in the order in which they stand in
        results.md, each as PNG and as SVG.

    Raises:
        WembedError: if a file can't be written.
    """
    make_folder(folder)
    drawings, title = possible(evaluation), title or folder.resolve().name
    try:
        _write(folder / FILE, partial(_write_text, to_text(evaluation)))
        _write(folder / MARKDOWN, partial(_write_text, to_markdown(evaluation, drawings, title)))
        write_page(evaluation, folder / PAGE, title)
        figures = _draw(evaluation, folder / FIGURES, progress)
        for stale in {folder / FIGURES / f"{one.name}{end}" for one in DRAWINGS for end in _ENDINGS} - set(figures):
            stale.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return [folder / MARKDOWN, folder / FILE, folder / PAGE, *figures]


def _draw(evaluation: Evaluation, folder: Path, progress: Progress) -> list[Path]:
    """Draws one figure after the other, so that no two are held at once."""
    drawings, written = possible(evaluation), []
    for place, drawing in enumerate(drawings, start=1):
        with styled():
            figure = drawing.draw(evaluation)
            for ending, save in _ENDINGS.items():
                written.append(folder / f"{drawing.name}{ending}")
                _write(written[-1], partial(save, figure))
        progress(place, len(drawings))
    return written


def _unwritable(folder: Path, error: OSError) -> WembedError:
    reason = (error.strerror or str(error)).lower()
    return WembedError(f"cannot write the report to {folder}: {reason}", "choose another folder with -o")


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


def _write(path: Path, write: Callable[[Path], object]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
