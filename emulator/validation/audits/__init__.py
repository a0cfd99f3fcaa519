"""What windows alone do not show: whole boxes, changed conditions, and what splits share."""
