"""A small plugin that keeps every contract; test_mutants.py breaks copies of it, one line at a time."""
