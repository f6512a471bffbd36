"""Runs side by side: the settings that differ, the budgets, and the scores that may be compared."""

from ganzoo.evaluation.comparison.columns import Column
from ganzoo.evaluation.comparison.comparison import ComparedRun, Comparison, compare

__all__ = ["Column", "ComparedRun", "Comparison", "compare"]
