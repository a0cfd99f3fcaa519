"""Suites: where simulations come from, a kind each."""
