"""An evaluation as files that people read: figures, results.md, results.json, report.html."""

from wembed.report.headline import headline_results
from wembed.report.results_file import read_results
from wembed.report.tables import main_results
from wembed.report.write import make_folder, write_report

__all__ = ["headline_results", "main_results", "make_folder", "read_results", "write_report"]
