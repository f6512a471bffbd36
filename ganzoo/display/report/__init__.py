"""Runs as self-contained HTML pages: `page` makes the text of one run's, `comparison_page` that of several runs."""

from ganzoo.display.report.comparison import comparison_page
from ganzoo.display.report.page import page

__all__ = ["comparison_page", "page"]
