"""Suites: recipes over several seeds, each run the same way, ending in one table. See docs/benchmarks.md."""
