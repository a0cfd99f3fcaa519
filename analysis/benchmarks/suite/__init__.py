"""What the embedded suite can be trusted for: gravity, baryons, its known truth, and its cost.

``python -m analysis.benchmarks.suite [SECTION ...]`` measures and writes ``suite.json`` and
``suite.md`` in ``analysis/benchmarks``; a section that is not named keeps its last figures.
"""
