"""Validation: statistics of held-out ensembles, baselines, and the acceptance table."""
