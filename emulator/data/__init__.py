"""Data: maps, the windows cut from them, training batches, and who is held out."""
