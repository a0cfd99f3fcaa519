"""Projection: particles to periodic maps, and what must hold of what was projected."""
