"""Fields: what is projected, drawn and measured."""

SPECIES = ("dmo", "dm_hydro", "gas", "stars")
