"""Figures and report: they read results and draw; they compute nothing that is not in a file."""
