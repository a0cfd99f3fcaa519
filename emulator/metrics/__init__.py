"""Statistics of physical fields: spectra, one-point functions, calibration of ensembles.

``power_spectrum``, ``one_point`` and ``calibration`` hold the estimators. A *metric* is a class
(:class:`emulator.metrics.base.Metric`) in a file of this folder; the file alone puts it into
``metrics.nc``, the acceptance table and the report (:mod:`emulator.metrics.registry`).
"""
