"""Judging runs: scores, comparisons, suites, model cards, the doctor."""
