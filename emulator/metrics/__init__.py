"""Statistics of physical fields: spectra, one-point functions, calibration of ensembles."""
