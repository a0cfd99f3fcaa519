"""Power spectra of what was painted or sampled, and of maps: read, measured, told."""
