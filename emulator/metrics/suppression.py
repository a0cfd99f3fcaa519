r"""What baryons do to matter: power of total matter over that of the DMO field.

Its suppression is :math:`S = 1 - P_{total} / P_{DMO}`, and the dip of the truth the largest
:math:`|S_{truth}|` in the range of wave numbers.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from emulator.fields import TOTAL, Field, summands
from emulator.metrics.base import Bar, Case, Metric
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.power_spectrum import power_ratio
from emulator.metrics.spectra import mean_spectra
from emulator.metrics.tolerances import inside_range, range_text

if TYPE_CHECKING:
    from emulator.config import ValidationConfig


class Suppression(Metric):
    """``P_total / P_DMO`` of truth and members; only where the channels make up all matter."""

    name = "suppression"
    label = "Suppression of total matter power"
    estimator = "ratio of mean spectra of single members, any ensemble size"
    variables = ("suppression_truth", "suppression_members", "suppression_error")
    panels = ()
    place = 40.0
    of_volumes = True

    def compute(self, case: Case) -> xr.Dataset:
        """Mean spectra of truth, members and DMO field."""
        if not summands(case.fields):
            return xr.Dataset()
        return mean_spectra(case, "truth", "members", "dmo")

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Ratios of power, and the difference of the suppressions ``(estimate, k)``."""
        if not summands(fields):
            return {}
        dmo = runs.mean(stats["power_dmo"])
        spectra = {
            "truth": ("the truth", runs.mean(stats["power_truth"])),
            "members": ("members", runs.mean(stats["power_members"].mean("member"))),
        }
        ratios = {
            kind: power_ratio(values.sel(field=TOTAL.name).drop_vars("field"), dmo)
            for kind, (_, values) in spectra.items()
        }
        error = ratios["truth"] - ratios["members"]
        return {
            f"suppression_{kind}": runs.estimate(ratio, f"P_total / P_DMO of {spectra[kind][0]}")
            for kind, ratio in ratios.items()
        } | {"suppression_error": runs.estimate(error, "suppression, members minus truth")}

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """The largest difference in the range of wave numbers, over the dip of the truth."""
        if "suppression_error" not in metrics:
            return []
        return [_bar(metrics, config)]


def _bar(metrics: xr.Dataset, config: "ValidationConfig") -> Bar:
    k, threshold = metrics["k"].values, config.bars.suppression
    inside = inside_range(k, config)
    truth = 1.0 - metrics["suppression_truth"].sel(estimate="value").values[inside]
    error = metrics["suppression_error"].transpose("estimate", "k").values[:, inside]
    # one wave number without a defined ratio spoils the maxima, as it should
    worst = int(np.argmax(np.where(np.isfinite(error[0]), np.abs(error[0]), np.inf)))
    dip, at = float(np.max(np.abs(truth))), float(k[inside][worst])
    difference, low, high = (float(number) for number in error[:, worst])
    value = abs(difference) / dip if dip > 0 else np.nan
    interval = f" ({low:+.3f} to {high:+.3f})" if np.isfinite(low) else ""
    found = f"{difference:+.3f}{interval}"
    return Bar(
        name="suppression over its dip",
        field=TOTAL.name,
        statistic="suppression_error",
        value=value,
        comparison="<=",
        threshold=threshold,
        text=(
            "The suppression 1 - P_total/P_DMO should be that of the truth within "
            f"{threshold:.0%} of the dip ({dip:.3f}) for {range_text(config)}; "
            f"the largest difference is {found} at k = {at:.2g} h/Mpc."
        ),
        facts={"k_worst_hmpc": at, "dip": dip if np.isfinite(dip) else None},
    )
