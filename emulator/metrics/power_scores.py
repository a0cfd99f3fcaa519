r"""CRPS of the power of single windows, wave number by wave number, against baselines and oracle.

Scored is :math:`\ln(P(k) + P_0)` of a window in every shell of the k range of the bars, with
:math:`P_0` the power of white noise of a thousandth of the field's scale (the mean DMO mass, or the
root mean square of a field that is no mass): a window without stars has a logarithm, too.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from emulator.fields import Field
from emulator.metrics.base import Bar, Case, Metric
from emulator.metrics.forecasts import compare, score_forecasts
from emulator.metrics.gain_bars import gain_bar
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.power_spectrum import power_spectrum
from emulator.units import Unit

if TYPE_CHECKING:
    from emulator.config import ValidationConfig

NOISE = 1.0e-3
"""Of the scale of a field: white noise of this size stands for no power."""


class PowerScores(Metric):
    """Fair CRPS of the logarithm of the power, by forecast and channel.

    Notes
    -----
    Mean over windows and over the shells of the k range, every shell alike. A relative error of 10
    per cent of the power is 0.1.
    """

    name = "power_scores"
    label = "Scores of the power of windows"
    estimator = "fair CRPS of ln P of single windows, any ensemble of 2 or more; ratio of means"
    variables = (
        "crps_power",
        "crps_power_gain",
        "best_baseline_power",
        "crps_power_over_mae",
        "oracle_crps_power",
        "oracle_ratio_power",
        "oracle_gain_power",
    )
    panels = ()
    place = 11.0
    of_volumes = True

    def compute(self, case: Case) -> xr.Dataset:
        """``score_power (forecast, channel)`` and ``score_power_oracle (channel)``."""
        found = score_forecasts(case, partial(_log_power, case=case))
        unit = str(Unit.DIMENSIONLESS)
        found["score"].attrs = {"units": unit, "long_name": "fair CRPS of ln P"}
        found["oracle"].attrs = {"units": unit, "long_name": "the same of the re-drawn truth"}
        return found.rename(score="score_power", oracle="score_power_oracle")

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Estimates by channel; ``best_baseline_power`` is a name."""
        unit = str(Unit.DIMENSIONLESS)
        found = compare(runs, stats["score_power"], stats["score_power_oracle"], unit)
        return {
            "crps_power": found["crps"],
            "crps_power_gain": found["gain"],
            "best_baseline_power": found["best"],
            "crps_power_over_mae": found["over_mae"],
            "oracle_crps_power": found["oracle"],
            "oracle_ratio_power": found["oracle_ratio"],
            "oracle_gain_power": found["oracle_gain"],
        }

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """The model beats the best probabilistic baseline of every channel by a fraction."""
        statistic, best = "crps_power_gain", "best_baseline_power"
        name, threshold = "CRPS gain of power", config.bars.crps_gain_power
        return [
            gain_bar(metrics, field, statistic, best, name, "ln P", threshold) for field in fields
        ]


def _log_power(maps: xr.DataArray, case: Case) -> xr.DataArray:
    """``ln(P + P_0)`` of every window ``(..., k)`` in the k range, P over the scales squared."""
    scales = case.scales.sel(channel=maps["channel"].values)
    power = power_spectrum(maps / scales, pixel_mpch=case.pixel_mpch)
    k = power["k"].values
    low, high = case.config.wave_numbers
    inside = (k >= low) & (k <= high)
    power = power.isel(k=np.flatnonzero(inside))
    noise = (NOISE * case.pixel_mpch) ** 2 * case.pixel_mpch ** (len(case.shape) - 2)
    return power.copy(data=np.log(power.values + noise))
