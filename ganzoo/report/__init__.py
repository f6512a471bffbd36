"""A run as one self-contained HTML page: what ran, on what, its curves and its pictures. `page` makes the text."""

from ganzoo.report.page import page

__all__ = ["page"]
