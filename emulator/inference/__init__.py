"""Parameters from fields: priors, simulations by a model, posteriors, and whether they cover.

A model is known here by what it does (:mod:`emulator.inference.interface`).
"""
