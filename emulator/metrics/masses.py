"""How much there is, in how many pixels, and how it is distributed over them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import xarray as xr

from emulator.domain import Domain, domain_of
from emulator.fields import Field, with_total
from emulator.metrics import one_point
from emulator.metrics.bars import interval_of
from emulator.metrics.base import Bar, Case, Metric
from emulator.metrics.channels import add_total, common_unit
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.tolerances import find_tolerances

if TYPE_CHECKING:
    from emulator.config import ValidationConfig

KINDS = ("truth", "members")


class Masses(Metric):
    """Ratio of total masses, share of occupied pixels, distribution of the values of a pixel.

    Of a field that is no mass, the means stand in for masses; it has no occupancy. A ratio of means
    says nothing of a signed field and is not defined there.
    """

    name = "masses"
    estimator = "means over pixels; ratio of sums; unbiased for any ensemble size"
    variables = (
        "mass_ratio",
        *(f"occupied_{kind}" for kind in KINDS),
        *(f"density_{kind}" for kind in KINDS),
    )
    panels = ()
    format = ".3f"
    place = 70.0

    def title(self, domain: Domain) -> str:
        """Arrays have neither occupancy nor a distribution of masses."""
        return "Masses, occupancy and distribution" if domain.is_matter else "Means"

    def compute(self, case: Case) -> xr.Dataset:
        """Means ``(field)``, occupancy ``(channel)`` and distribution ``(channel, log_mass)``."""
        truth, values = case.ensemble["truth"], case.ensemble["fields"]
        meaning = f"{case.domain.nouns.mean_amount} per pixel"
        unit = {"units": common_unit(with_total(case.fields)), "long_name": meaning}
        averages = {"truth": "sample", "members": ("sample", "member")}
        stats = {}
        for kind, maps in (("truth", truth), ("members", values)):
            mean = one_point.mean_mass(add_total(maps, case.fields)).assign_attrs(unit)
            occupied = one_point.occupancy(maps, case.config.occupied_msunh)
            stats[f"mass_{kind}"] = mean.mean(averages[kind])
            stats[f"occupancy_{kind}"] = _of(
                occupied.mean(averages[kind]), case.fields, [f.adds_up for f in case.fields]
            )
            stats[f"pdf_{kind}"] = one_point.log_mass_pdf(maps)
        return xr.Dataset(stats)

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Estimates of ratio, occupancy and distribution."""
        rows, nouns = with_total(fields), domain_of(stats.attrs, "statistics").nouns
        ratio = one_point.mass_ratio(
            runs.mean(stats["mass_members"]), runs.mean(stats["mass_truth"])
        )
        ratio = _of(ratio, rows, [not field.signed for field in rows])
        results = {"mass_ratio": runs.estimate(ratio, f"{nouns.total}, members over truth")}
        for kind in KINDS:
            occupancy, pdf = (
                runs.mean(stats[f"occupancy_{kind}"]),
                runs.mean(stats[f"pdf_{kind}"]),
            )
            results[f"occupied_{kind}"] = runs.estimate(occupancy, "share of occupied pixels")
            results[f"density_{kind}"] = runs.estimate(pdf, "share of pixels per dex of mass")
        return results

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """The total mass of every field is that of the truth within a tolerance."""
        tolerances = find_tolerances("mass", config, fields)
        return [
            _bar(metrics["mass_ratio"].sel(field=field.name), field, tolerances[field.name])
            for field in with_total(fields)
            if field.name in tolerances
        ]


def _bar(ratio: xr.DataArray, field: Field, tolerance: float) -> Bar:
    value = float(ratio.sel(estimate="value"))
    what = "total mass" if field.adds_up else "mean"
    return Bar(
        name=f"{what}, {field.label}",
        field=field.name,
        statistic="mass_ratio",
        value=value,
        comparison="in",
        threshold=(1.0 - tolerance, 1.0 + tolerance),
        text=(
            f"The {what} of {field.label} should be within {tolerance:.0%} of the truth; the ratio "
            f"is {value:.3f}."
        ),
        interval=interval_of(ratio),
    )


def _of(values: xr.DataArray, fields: Sequence[Field], keep: list[bool]) -> xr.DataArray:
    """Values of some fields; NaN of the others."""
    if all(keep):
        return values
    name = "field" if "field" in values.dims else "channel"
    known = xr.DataArray(keep, dims=name, coords={name: [field.name for field in fields]})
    return values.where(known)
