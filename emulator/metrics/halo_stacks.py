r"""Stacks of fields around DMO halos: profiles, masses, fractions and occupancy in bins of mass.

Kept of every simulation are *sums* over the halos of a bin and their number, so that each number is
a ratio :math:`\sum_r S_r / \sum_r N_r` of means over runs: runs with more halos of a bin count
more, and a run without any changes nothing.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.fields import TOTAL, Field, summands, with_total
from emulator.metrics.base import Case, Metric
from emulator.metrics.channels import common_unit, names_with_total
from emulator.metrics.halo_apertures import (
    Apertures,
    by_mass_bin,
    halo_apertures,
    mass_bin_names,
)
from emulator.metrics.halos import RADIUS_EDGES
from emulator.metrics.jackknife import Jackknife
from emulator.units import Unit

KINDS = ("truth", "members")
ONE = str(Unit.DIMENSIONLESS)
_Variable = tuple[tuple[str, ...], np.ndarray, dict[str, str]]


class HaloStacks(Metric):
    """Mean profiles around halos, masses within R200c and their shares, halos with stars.

    Masses and shares are of fields that add up; a share is of total matter, where the channels make
    up all of it. No bar: an empty bin has no number, and few runs hold massive halos.
    """

    name = "halo_stacks"
    label = "Around halos"
    estimator = (
        "ratios of sums over the halos of a bin of M200c (DMO), whose R200c lies in the window and "
        "is a pixel or more; unbiased to first order in the number of halos, for any ensemble size"
    )
    variables = (
        "halo_count",
        "halo_cut",
        "halo_unresolved",
        *(f"halo_profile_{kind}" for kind in KINDS),
        *(f"halo_mass_{kind}" for kind in KINDS),
        *(f"halo_share_{kind}" for kind in KINDS),
        *(f"halo_occupied_{kind}" for kind in KINDS),
        "halo_profile_ratio",
        "halo_mass_ratio",
        "halo_baryons_truth",
        "halo_baryons_members",
    )
    panels = ()
    smallest_ensemble = 1
    place = 72.0

    def compute(self, case: Case) -> xr.Dataset:
        """Sums over halos by bin, and their numbers; empty where no halos are known."""
        around = case.shared(halo_apertures)
        if around is None:
            return xr.Dataset()
        count = by_mass_bin(around, np.ones(len(around.log_mass)))
        bins, rings = ("halo_mass",), ("halo_mass", "radius")
        one = {"units": ONE}
        stats = {
            "halo_number": (bins, count, one),
            "halo_number_cut": (bins, around.cut, one),
            "halo_number_unresolved": (bins, around.unresolved, one),
            "halo_area": (rings, by_mass_bin(around, around.area), {"units": str(Unit.PIXEL)}),
            **_sums(case, around),
        }
        radius = (RADIUS_EDGES[1:] + RADIUS_EDGES[:-1]) / 2
        return xr.Dataset(
            stats,
            coords={
                "halo_mass": mass_bin_names(),
                "radius": ("radius", radius, {"units": ONE, "long_name": "r / R200c"}),
                "field": names_with_total(case.fields),
            },
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Profiles ``(estimate, field, halo_mass, radius)``; the rest without ``radius``."""
        if "halo_number" not in stats:
            return {}
        count, area = runs.mean(stats["halo_number"]), runs.mean(stats["halo_area"])
        rows = with_total(fields)
        adds_up = _which(rows, [field.adds_up for field in rows])
        n = len(stats["simulation"])
        # totals over simulations, of which an error makes no sense
        found = {
            f"halo_{name}": _exactly(stats[f"halo_number{of}"].sum("simulation"), meaning)
            for name, of, meaning in (
                ("count", "", f"halos in windows that are stacked, of {n} simulations"),
                ("cut", "_cut", "halos left out, R200c leaves the window"),
                ("unresolved", "_unresolved", "halos left out, R200c below a pixel"),
            )
        }
        inner, profile = {}, {}
        for kind in KINDS:
            inner[kind] = runs.mean(stats[f"halo_inner_{kind}"])
            profile[kind] = runs.mean(stats[f"halo_ring_{kind}"]) / area.where(area > 0)
            occupied = runs.mean(stats[f"halo_full_{kind}"]) / count.where(count > 0)
            unit = common_unit(rows)
            found[f"halo_profile_{kind}"] = runs.estimate(
                profile[kind], f"mean of annuli around halos, {kind}", unit
            )
            found[f"halo_mass_{kind}"] = runs.estimate(
                (inner[kind] / count.where(count > 0)).where(adds_up),
                f"mean projected mass within R200c, {kind}",
                str(Unit.MASS),
            )
            found[f"halo_occupied_{kind}"] = runs.estimate(
                occupied.where(adds_up), f"share of halos that hold the field, {kind}"
            )
            if summands(fields):
                found |= _shares(runs, inner[kind].where(adds_up), fields, kind)
        for name, each, keep in (
            ("halo_profile_ratio", profile, None),
            ("halo_mass_ratio", inner, adds_up),
        ):
            ratio = each["members"] / each["truth"].where(each["truth"] > 0)
            ratio = ratio if keep is None else ratio.where(keep)
            found[name] = runs.estimate(ratio, f"{name[5:-6]} around halos, members over truth")
        return found


def _sums(case: Case, around: Apertures) -> dict[str, _Variable]:
    """Sums over the halos of a bin, of the truth and as means over members."""
    unit, bins = common_unit(with_total(case.fields)), ("halo_mass", "field")
    here = np.isfinite(around.area)[:, None, :]
    threshold = case.config.occupied_msunh
    found: dict[str, _Variable] = {}
    for kind, values in (("truth", around.truth[:, None]), ("members", around.members)):
        inner = around.inner(values)
        rings = np.where(here, values.mean(axis=1), 0.0)
        found |= {
            f"halo_ring_{kind}": (
                (*bins, "radius"),
                by_mass_bin(around, rings),
                {"units": unit, "long_name": "sum over pixels of annuli"},
            ),
            f"halo_inner_{kind}": (bins, by_mass_bin(around, inner.mean(axis=1)), {"units": unit}),
            f"halo_full_{kind}": (
                bins,
                by_mass_bin(around, (inner > threshold).mean(axis=1)),
                {"units": ONE, "long_name": f"halos with more than {threshold:g} Msun/h"},
            ),
        }
    return found


def _shares(
    runs: Jackknife, inner: xr.DataArray, fields: Sequence[Field], kind: str
) -> dict[str, xr.DataArray]:
    """Shares of total matter within R200c, and that of all baryons."""
    total = inner.sel(field=TOTAL.name, drop=True)
    share = inner / total.where(total > 0)
    masses = [f.name for f in fields if f.name in summands(fields)]
    baryons = [f.name for f in fields if f.name in masses and "dark_matter" not in f.particles]
    return {
        f"halo_share_{kind}": runs.estimate(share, f"share of total matter in R200c, {kind}"),
        f"halo_baryons_{kind}": runs.estimate(
            share.sel(field=baryons).sum("field", skipna=False),
            f"baryons over total matter in R200c, {kind}",
        ),
    }


def _which(fields: Sequence[Field], keep: list[bool]) -> xr.DataArray:
    return xr.DataArray(keep, dims="field", coords={"field": [field.name for field in fields]})


def _exactly(values: xr.DataArray, meaning: str) -> xr.DataArray:
    """A number that has no error, along ``estimate``."""
    nothing = xr.full_like(values, np.nan)
    stacked = xr.concat([values, nothing, nothing], "estimate")
    return stacked.assign_coords(estimate=["value", "low", "high"]).assign_attrs(
        units=ONE, long_name=meaning
    )
