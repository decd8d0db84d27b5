"""An evaluation in; its figures out, as pixels and as vectors."""

from wembed.report.figures.drawings import DRAWINGS, Drawing, possible
from wembed.report.figures.style import save_png, save_svg, styled

__all__ = ["DRAWINGS", "Drawing", "possible", "save_png", "save_svg", "styled"]
