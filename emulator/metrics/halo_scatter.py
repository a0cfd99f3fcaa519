r"""Joint scatter of gas, stars and total mass at fixed halo mass: is it that of the truth?

With :math:`y_i = \log_{10}(M_i + M_0)` of the projected masses within R200c, where :math:`M_0` is
the mass of an occupied pixel (so that a halo without stars counts too), and :math:`m = \log_{10}
M_{200c}` of the DMO halo, the scatter of a bin of halos is that about its line in :math:`m`,

.. math:: \Sigma_{ij} = C_{ij} - C_{im} C_{jm} / C_{mm}, \qquad
          C_{ab} = \langle ab \rangle - \langle a \rangle \langle b \rangle .

It is formed of every member by itself, and then averaged: the mean of members has hardly any
scatter. Kept of every simulation are the moments of each bin, so that all halos of a run count.

Halos of all simulations are one population: what parameters do is part of the scatter, of the truth
as of the members. An ensemble that ignores them has nearly the right scatter.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import xarray as xr

from emulator.fields import Field, with_total
from emulator.metrics.base import Case, Metric
from emulator.metrics.halo_apertures import by_mass_bin, halo_apertures, mass_bin_names
from emulator.metrics.halos import LOG_MASS_EDGES
from emulator.metrics.jackknife import Jackknife
from emulator.units import Unit

LEAST_HALOS = 20
"""Halos of a bin, in all simulations, below which its scatter is a gap."""

ALL = "all"
ONE = str(Unit.DIMENSIONLESS)
KINDS = ("truth", "members")


class HaloScatter(Metric):
    """Scatter in dex, correlation of the residuals, and the worst combination of masses.

    No bar: the interval of the demo's halos is as wide as what a good model must be told from.
    """

    name = "halo_scatter"
    label = "Joint scatter at fixed halo mass"
    estimator = (
        "covariance about the line in log M200c of a bin, of each member by itself, then the mean "
        "over members; scatter is low by a share 1 / N of its value for N halos, of truth and "
        "members alike; the ratio of the extreme combinations is further from 1 than that of "
        "infinitely many halos; any ensemble size"
    )
    variables = (
        *(f"halo_scatter_{kind}" for kind in KINDS),
        *(f"halo_correlation_{kind}" for kind in KINDS),
        "halo_scatter_ratio",
        "halo_scatter_extreme",
    )
    panels = ()
    format = ".2f"
    smallest_ensemble = 1
    place = 73.0

    def compute(self, case: Case) -> xr.Dataset:
        """Moments ``(halo_mass, halo_moment, halo_moment_of)``; empty without halos."""
        around, rows = case.shared(halo_apertures), with_total(case.fields)
        kept = _masses(rows)
        if around is None or len(kept) < 2:
            return xr.Dataset()
        where = [i for i, field in enumerate(rows) if field.name in kept]
        middle = (LOG_MASS_EDGES[:-1] + LOG_MASS_EDGES[1:])[around.mass_bin] / 2
        attrs = {"units": ONE, "long_name": "sums of products of 1, log M200c, log masses"}
        found = {}
        for kind, values in (("truth", around.truth[:, None]), ("members", around.members)):
            inner = around.inner(values)[..., where]
            y = np.log10(np.maximum(inner, 0.0) + max(case.config.occupied_msunh, 1.0))
            head = np.broadcast_to(
                np.stack([np.ones(len(middle)), around.log_mass - middle], -1)[:, None],
                (*y.shape[:2], 2),
            )
            u = np.concatenate([head, y - 12.0], axis=-1)
            sums = by_mass_bin(around, u[..., :, None] * u[..., None, :])
            dims = ("halo_mass", "member", "halo_moment", "halo_moment_of")
            moments = xr.DataArray(sums, dims=dims, attrs=attrs)
            found[f"halo_moments_{kind}"] = moments.isel(member=0) if kind == "truth" else moments
        names = ["one", "m200c", *kept]
        return xr.Dataset(
            found,
            coords={"halo_mass": mass_bin_names(), "halo_moment": names, "halo_moment_of": names},
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Scatter ``(estimate, scatter_of, halo_mass)``; gaps where a bin has too few halos."""
        if "halo_moments_truth" not in stats:
            return {}
        names = stats["halo_moment"].values.astype(str).tolist()[2:]
        truth, members = (
            runs.mean(stats[f"halo_moments_{kind}"])
            .transpose("replicate", ..., "halo_mass", "halo_moment", "halo_moment_of")
            .values
            for kind in KINDS
        )
        number = stats["halo_moments_truth"][..., 0, 0].sum("simulation").values
        enough = number >= LEAST_HALOS
        of_truth = pooled_scatter(truth, enough)
        of_members = pooled_scatter(members, enough).mean(axis=1)
        bins = [*stats["halo_mass"].values.astype(str), ALL]
        found = {}
        sizes, correlations = {}, {}
        for kind, matrix in (("truth", of_truth), ("members", of_members)):
            variance = np.diagonal(matrix, axis1=-2, axis2=-1)
            sizes[kind] = np.sqrt(np.where(variance > 0, variance, np.nan))
            pairs = list(combinations(range(len(names)), 2))
            correlations[kind] = np.stack(
                [matrix[..., i, j] / (sizes[kind][..., i] * sizes[kind][..., j]) for i, j in pairs],
                axis=-1,
            )
            found[f"halo_scatter_{kind}"] = runs.estimate(
                _table(sizes[kind], bins, "scatter_of", names),
                f"scatter at fixed halo mass [dex], {kind}",
            )
            found[f"halo_correlation_{kind}"] = runs.estimate(
                _table(
                    correlations[kind], bins, "scatter_pair",
                    [f"{names[i]}, {names[j]}" for i, j in pairs],
                ),
                f"correlation of residuals at fixed halo mass, {kind}",
            )  # fmt: skip
        found["halo_scatter_ratio"] = runs.estimate(
            _table(sizes["members"] / sizes["truth"], bins, "scatter_of", names),
            "scatter at fixed halo mass, members over truth",
        )
        found["halo_scatter_extreme"] = runs.estimate(
            _table(extreme_ratios(of_members, of_truth), bins, "extreme", ["least", "most"]),
            "scatter of the combination of masses that is worst, members over truth",
        )
        return found


def _masses(fields: Sequence[Field]) -> list[str]:
    """Gas, stars, total: all masses but dark matter where there is a total, which it is most of."""
    masses = [field for field in fields if field.adds_up]
    if any(field.name == "total" for field in masses):
        masses = [f for f in masses if f.particles != ("dark_matter",)]
    return [field.name for field in masses]


def residual_covariance(moments: np.ndarray) -> np.ndarray:
    """Covariance about a line.

    Parameters
    ----------
    moments
        ``(..., 2 + n, 2 + n)``: sums over halos of products of ``1, m, y_1 ... y_n``.

    Returns
    -------
    ``(..., n, n)``, with the divisor N; NaN where there are no halos or all have one m.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = moments / moments[..., :1, :1]
        covariance = mean - mean[..., :, :1] * mean[..., :1, :]
        of_m = covariance[..., 1:2, 2:]
        spread = covariance[..., 1:2, 1:2]
        slope = of_m / np.where(spread > 0, spread, np.nan)
    result: np.ndarray = covariance[..., 2:, 2:] - np.swapaxes(slope, -1, -2) * of_m
    return result


def pooled_scatter(moments: np.ndarray, enough: np.ndarray) -> np.ndarray:
    """Scatter of each bin ``(..., bin, ., .)``, and of all together at the end of ``bin``.

    Bins that have not ``enough`` halos are NaN, and not part of all; all is weighed by the numbers
    of halos, and NaN where no bin has enough.
    """
    single = np.where(enough[:, None, None], residual_covariance(moments), np.nan)
    weight = np.where(enough, moments[..., 0, 0], 0.0)[..., None, None]
    with np.errstate(invalid="ignore"):
        whole = (np.where(weight > 0, single, 0.0) * weight).sum(axis=-3) / weight.sum(axis=-3)
    return np.concatenate([single, whole[..., None, :, :]], axis=-3)


def extreme_ratios(members: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Roots of the least and largest eigenvalue of ``truth^-1 members``, ``(..., 2)``.

    The scatter of members over that of the truth, in the combinations of masses where it is
    smallest and largest: 1 and 1 if both covariances are one. NaN where either is not positive.
    """
    found = np.full((*truth.shape[:-2], 2), np.nan)
    for where in np.ndindex(truth.shape[:-2]):
        a, b = members[where], truth[where]
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            continue
        own = np.linalg.eigvalsh(b)
        if own[0] <= 1.0e-12 * own[-1] or own[-1] <= 0:
            continue
        inverse = np.linalg.inv(np.linalg.cholesky(b))
        values = np.linalg.eigvalsh(inverse @ a @ inverse.T)
        found[where] = np.sqrt(np.maximum(values[[0, -1]], 0.0))
    return found


def _table(values: np.ndarray, bins: list[str], dim: str, names: list[str]) -> xr.DataArray:
    """``(replicate, bin, name)`` with labels; bins of scatter have one more, of all halos."""
    coords = {"scatter_mass": bins, dim: names}
    return xr.DataArray(values, dims=("replicate", "scatter_mass", dim), coords=coords)
