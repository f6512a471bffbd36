"""Model cards: results of real runs of a recipe, as generated Markdown."""

from ganzoo.evaluation.cards.block import read_blocks, replace_block
from ganzoo.evaluation.cards.card import Card, make_card
from ganzoo.evaluation.cards.paper_results import PaperResults, Published, read_paper_results

__all__ = [
    "Card",
    "PaperResults",
    "Published",
    "make_card",
    "read_blocks",
    "read_paper_results",
    "replace_block",
]
