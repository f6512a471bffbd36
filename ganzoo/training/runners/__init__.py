"""Runners execute the rounds of a game. All give the same run within rounding and differ in speed."""
