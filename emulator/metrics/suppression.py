"""What baryons do to matter: power of total matter over that of the DMO field."""

from collections.abc import Sequence

import xarray as xr

from emulator.fields import TOTAL, Field, summands
from emulator.metrics.base import Case, Metric
from emulator.metrics.jackknife import Resampler
from emulator.metrics.power_spectrum import power_ratio
from emulator.metrics.spectra import mean_spectra


class Suppression(Metric):
    """``P_total / P_DMO`` of truth and members; only where the channels make up all matter."""

    name = "suppression"
    label = "Suppression of total matter power"
    estimator = "ratio of mean spectra of single members, any ensemble size"
    variables = ("suppression_truth", "suppression_members")
    panels = ()
    place = 40.0

    def compute(self, case: Case) -> xr.Dataset:
        """Mean spectra of truth, members and DMO field."""
        if not summands(case.fields):
            return xr.Dataset()
        return mean_spectra(case, "truth", "members", "dmo")

    def summarise(
        self, boot: Resampler, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Suppression ``(estimate, k)``."""
        if not summands(fields):
            return {}
        dmo = boot.mean(stats["power_dmo"])
        spectra = {
            "truth": ("the truth", boot.mean(stats["power_truth"])),
            "members": ("members", boot.mean(stats["power_members"].mean("member"))),
        }
        return {
            f"suppression_{kind}": boot.estimate(
                power_ratio(values.sel(field=TOTAL.name).drop_vars("field"), dmo),
                f"P_total / P_DMO of {whose}",
            )
            for kind, (whose, values) in spectra.items()
        }
