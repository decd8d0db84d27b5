"""An evaluation as files that people read: figures, results.md, results.json."""

from wembed.report.results_file import read_results
from wembed.report.tables import main_results
from wembed.report.write import write_report

__all__ = ["main_results", "read_results", "write_report"]
