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
ObjectiveName = Literal["diffusion", "one_step", "consistency"]
TimesName = Literal["low_discrepancy", "uniform", "adaptive"]
