"""report.html: an evaluation as one page that opens without a network, to look around in."""

from wembed.report.page.write import write_page

__all__ = ["write_page"]
