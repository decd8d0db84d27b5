"""An evaluation in; one HTML file out, which holds its styles, its scripts and its data, and asks for nothing else.

What stands in it without scripts is made here: the headline table, the curves, the facts. Scripts add the map, the
models and the table of all numbers. A content security policy lets the page run its own scripts only and load nothing.
"""

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from string import Template

from wembed.catalog.zoo import write_whole
from wembed.evaluate.results import Evaluation
from wembed.report.lookup import main_encoder, whisker_words
from wembed.report.page.charts import all_charts
from wembed.report.page.columns import columns
from wembed.report.page.facts import fact_list, tiles
from wembed.report.page.headline import headline_tables
from wembed.report.page.text import escaped, script_json

# In the order in which they are put together: each uses what stands before it.
_SCRIPTS = (
    "dom", "data", "palette", "state", "view", "shapes", "hexagons", "draw", "pointer", "filters", "legend", "list",
    "family", "model", "results", "sort", "theme", "main",
)  # fmt: skip
_STYLES = ("base", "layout", "map", "model", "tables", "charts", "print")


def write_page(evaluation: Evaluation, path: Path, title: str) -> None:
    """Writes the page, whole or not at all.

    Args:
        evaluation: what was found.
        path: of the HTML file; its folder is made if it isn't there.
        title: what was run.

    Raises:
        WembedError: if it can't be written.
    """
    write_whole(path, page_text(evaluation, title).encode("utf-8", "replace"))


def page_text(evaluation: Evaluation, title: str) -> str:
    """The page as text."""
    script = "\n".join(_part(f"scripts/{name}.js") for name in _SCRIPTS)
    style = "\n".join(_part(f"styles/{name}.css") for name in _STYLES)
    return Template(_part("page.html")).substitute(
        title=escaped(title),
        policy=_policy(script, style),
        style=style,
        script=script,
        data=script_json(columns(evaluation)),
        encoder=escaped(main_encoder(evaluation)),
        tiles=tiles(evaluation),
        headline=headline_tables(evaluation),
        around=escaped(whisker_words(evaluation)),
        charts=all_charts(evaluation),
        facts=fact_list(evaluation),
    )


def _part(name: str) -> str:
    return files("wembed.report.page").joinpath(name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Nothing may be loaded, and of scripts and styles only these two run."""
    return f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; base-uri 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
