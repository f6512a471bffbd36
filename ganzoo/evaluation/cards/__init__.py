"""Model cards: what real runs of a recipe measured, as Markdown that is made anew and never written by hand."""

from ganzoo.evaluation.cards.block import blocks, put
from ganzoo.evaluation.cards.card import Card, card_of
from ganzoo.evaluation.cards.knowledge import Knowledge, Published, read_knowledge

__all__ = ["Card", "Knowledge", "Published", "blocks", "card_of", "put", "read_knowledge"]
