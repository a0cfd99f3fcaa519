"""Power of the members over that of the truth, scale by scale, with the bar of every field."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from emulator.fields import Field, with_total
from emulator.metrics.base import Bar, Case, Metric
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.power_spectrum import power_ratio
from emulator.metrics.spectra import mean_spectra, window_spectra
from emulator.metrics.tolerances import find_tolerances, inside_range, range_text, unit_of_k
from emulator.units import Unit

if TYPE_CHECKING:
    from emulator.config import ValidationConfig

STATISTICS = {"summed": "summed over windows", "median": "median over windows"}


class PowerRatio(Metric):
    """``P_member / P_truth``, of sums over windows and as the median over windows.

    Notes
    -----
    ``power_ratio_median``: median of ``P_member / P_truth`` over windows and members of all
    simulations, in which every run weighs the same however many simulations it has. For a
    calibrated ensemble the ratio and its inverse have one distribution, so its median is 1 whatever
    the scatter; windows where both are empty are left out.
    ``power_ratio_summed``: power summed over windows first, so a few massive halos can dominate.
    """

    name = "power_ratio"
    label = "Power spectra"
    estimator = "spectra of single members; ratio of means and median of ratios, any ensemble size"
    variables = ("power_ratio_summed", "power_ratio_median", "spectrum_truth", "spectrum_members")
    panels = ()
    place = 20.0
    of_volumes = True

    def compute(self, case: Case) -> xr.Dataset:
        """Mean spectra, and the ratio of every window and member, kept whole for its median."""
        spectra = case.shared(window_spectra)
        ratio = power_ratio(spectra["members"], spectra["truth"])
        return mean_spectra(case, "truth", "members").assign(
            power_ratio=ratio.transpose("sample", "member", ...).astype(np.float32)
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Ratios and spectra ``(estimate, field, k)``."""
        truth = runs.mean(stats["power_truth"])
        members = runs.mean(stats["power_members"].mean("member"))
        median = runs.median(stats["power_ratio"], over=("sample", "member"))
        power = stats["power_truth"].attrs.get("units", str(Unit.POWER_2D))
        summed = power_ratio(members, truth)
        meaning = "median of P_member / P_truth over windows"
        return {
            "spectrum_truth": runs.estimate(truth, "power spectrum of the truth", power),
            "spectrum_members": runs.estimate(members, "mean power spectrum of the members", power),
            "power_ratio_summed": runs.estimate(summed, "sum P_member / sum P_truth"),
            "power_ratio_median": runs.estimate(median, meaning),
        }

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """The largest departure from 1 within the range of wave numbers, of each field."""
        tolerances = find_tolerances("power", config, fields)
        return [
            _power_bar(metrics, field, statistic, tolerances[field.name], config)
            for field in with_total(fields)
            if field.name in tolerances
            for statistic in STATISTICS
        ]


def _power_bar(
    metrics: xr.Dataset, field: Field, statistic: str, tolerance: float, config: "ValidationConfig"
) -> Bar:
    k, k_unit = metrics["k"].values, unit_of_k(metrics)
    inside = inside_range(k, config)
    ratio = metrics[f"power_ratio_{statistic}"].sel(field=field.name).values[:, inside]
    error = np.abs(ratio[0] - 1.0)
    # One wave number without a defined ratio spoils the maximum, as it should.
    worst = int(np.argmax(np.where(np.isfinite(error), error, np.inf)))
    at = float(k[inside][worst])
    text = (
        f"The power of {field.label} ({STATISTICS[statistic]}) should be within {tolerance:.0%} "
        f"of the truth for {range_text(config, k_unit)}; the largest "
        f"departure is at k = {at:.2g} {k_unit}, {_ratio(ratio[:, worst])}."
    )
    return Bar(
        name=f"P/P_truth, {field.label}, {STATISTICS[statistic]}",
        field=field.name,
        statistic=f"power_ratio_{statistic}",
        value=float(error[worst]),
        comparison="<=",
        threshold=tolerance,
        text=text,
        facts={"k_worst_hmpc": at},
    )


def _ratio(estimates: np.ndarray) -> str:
    value, low, high = (float(number) for number in estimates)
    if not np.isfinite(value):
        return "where the ratio is not defined"
    interval = f" ({low:.2f} to {high:.2f})" if np.isfinite(low) else ""
    return f"where the ratio is {value:.2f}{interval}"
