"""Sampling: ensembles of fields from a bundle."""
