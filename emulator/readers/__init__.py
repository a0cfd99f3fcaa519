"""Readers: what files of others say, in one set of units: snapshots, catalogues, tables."""
