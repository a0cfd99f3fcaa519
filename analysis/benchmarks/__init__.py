"""Measurements against theory, peers and clocks; each writes a table beside itself."""
