"""The report: one self-contained page from a folder of results."""
