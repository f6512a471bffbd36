"""Model cards: what real runs of a recipe measured, as Markdown that is made anew and never written by hand."""

from ganzoo.cards.block import blocks, put
from ganzoo.cards.card import Card, card_of
from ganzoo.cards.knowledge import Knowledge, Published, read_knowledge

__all__ = ["Card", "Knowledge", "Published", "blocks", "card_of", "put", "read_knowledge"]
