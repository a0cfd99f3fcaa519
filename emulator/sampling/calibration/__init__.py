"""The stage `calibrate`: noise of a size at which the spread of a model fits its errors."""
