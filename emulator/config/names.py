"""Names of choices, for the config and for what they choose."""

from typing import Literal

PathName = Literal["variance_preserving", "variance_exploding", "linear"]
ScheduleName = Literal[
    "fixed_linear",
    "learned_linear",
    "learned_nn",
    "logistic",
    "cosine",
    "sigmoid",
    "edm",
    "ddpm_linear",
    "ddpm_cosine",
]
PredictionName = Literal["eps", "x", "v", "velocity", "edm"]
WeightName = Literal["plain", "bound", "simple", "min_snr", "sigmoid", "edm"]
ObjectiveName = Literal["diffusion", "residual", "one_step", "consistency"]
SOLVED = ("diffusion", "residual")
"""Objectives whose members a solver draws, in many passes."""

TimesName = Literal["low_discrepancy", "uniform", "adaptive"]
