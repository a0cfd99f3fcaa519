"""Names of the choices of diffusion and sampling, for the config and for what they choose."""

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
TimesName = Literal["low_discrepancy", "uniform", "adaptive"]
SolverName = Literal[
    "ancestral",
    "ddim",
    "euler",
    "heun",
    "dpm++2m",
    "sde-dpm++2m",
    "ab2",
    "ab3",
    "unipc2",
    "unipc3",
    "abm2",
    "abm3",
    "abm4",
    "pc",
]
SpacingName = Literal["gamma", "t", "karras", "logistic"]
