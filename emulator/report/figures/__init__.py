"""Figures, one a file: each function takes loaded results and returns a matplotlib figure."""
