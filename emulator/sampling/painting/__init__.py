"""Whole boxes: windows predict, predictions are blended at every step, noise belongs to the box."""
