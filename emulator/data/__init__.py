"""Data: from snapshots to maps, from maps to cutouts, from cutouts to training batches."""
