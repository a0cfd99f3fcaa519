"""Correlation with the truth, scale by scale; and of members with each other."""

from collections.abc import Sequence

import xarray as xr

from emulator.domain import domain_of
from emulator.fields import Field
from emulator.metrics.base import Case, Metric
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.power_spectrum import correlation_coefficient
from emulator.metrics.spectra import mean_spectra


class Correlation(Metric):
    """``r(k)`` of a member, of another member and of the DMO field; the calibration identity.

    A calibrated ensemble has ``r(member, truth) = r(member, other member)`` at every ``k``.
    """

    name = "correlation"
    label = "Correlation with the truth"
    estimator = "correlation of mean spectra; pairs of different members, unbiased for 2 or more"
    variables = (
        "correlation_dmo_truth",
        "correlation_member_truth",
        "correlation_member_member",
    )
    panels = ()
    place = 50.0

    def compute(self, case: Case) -> xr.Dataset:
        """Mean auto and cross spectra."""
        names = ("truth", "members", "dmo", "member_truth", "member_member", "dmo_truth")
        return mean_spectra(case, *names)

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Correlations ``(estimate, field, k)``."""
        condition = domain_of(stats.attrs, "statistics").nouns.condition
        truth, dmo = runs.mean(stats["power_truth"]), runs.mean(stats["power_dmo"])
        members = runs.mean(stats["power_members"].mean("member"))
        draws = {
            "correlation_dmo_truth": (
                correlation_coefficient(runs.mean(stats["power_dmo_truth"]), dmo, truth),
                f"r({condition}, truth)",
            ),
            "correlation_member_truth": (
                correlation_coefficient(runs.mean(stats["power_member_truth"]), members, truth),
                "r(member, truth)",
            ),
            "correlation_member_member": (
                correlation_coefficient(runs.mean(stats["power_member_member"]), members, members),
                "r(member, other member)",
            ),
        }
        return {name: runs.estimate(values, meaning) for name, (values, meaning) in draws.items()}
