r"""Variance, skewness and kurtosis of the logarithm of pixels, and of means over squares.

.. math:: \kappa_2 = \mu_2, \qquad \mu_3 / \mu_2^{3/2}, \qquad \mu_4 / \mu_2^2 - 3,

with central moments :math:`\mu_n` of :func:`~emulator.metrics.log_maps.log_maps` over all pixels,
windows and runs. A lognormal field has 0 in the last two.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.fields import Field
from emulator.metrics.base import Case, Metric, Panel
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.log_maps import case_logs, log_maps
from emulator.units import Unit

SQUARES = (1, 4)
NAMES = ("variance", "skewness", "kurtosis")
KINDS = ("truth", "members")
ONE = str(Unit.DIMENSIONLESS)


class Cumulants(Metric):
    """Cumulants of single members, averaged over members, beside those of the truth."""

    name = "cumulants"
    label = "Cumulants of the logarithm"
    estimator = (
        "central moments from raw moments of each member, after means over windows and runs; then "
        "the mean over members; biased like 1 / number of independent pixels, of truth and members "
        "alike; any ensemble size"
    )
    variables = ("cumulant_truth", "cumulant_members", "cumulant_error")
    panels = (
        Panel(
            "cumulant_truth",
            "Truth",
            "Variance, skewness and excess kurtosis of ln(x / s), empty pixels at 0.001 s, of "
            "pixels and of means over squares of 4 pixels.",
            ".2f",
        ),
        Panel(
            "cumulant_error",
            "Members minus truth",
            "Of single members, averaged. Good: 0 within the interval.",
            ".2f",
        ),
    )
    smallest_ensemble = 1
    place = 75.0

    def compute(self, case: Case) -> xr.Dataset:
        """Raw moments ``(square, channel, moment_order)``; of members by ``member``."""
        found = {}
        dims = ("square", "member", "channel", "moment_order")
        attrs = {"units": ONE, "long_name": "mean powers of the logarithm"}
        for kind, name in (("truth", "truth"), ("members", "fields")):
            rows = np.stack([_raw_moments(case, name, side) for side in SQUARES])
            moments = xr.DataArray(rows, dims=dims, attrs=attrs)
            found[f"log_moments_{kind}"] = moments.isel(member=0) if kind == "truth" else moments
        return xr.Dataset(
            found,
            coords={
                "square": list(SQUARES),
                "channel": case.ensemble["channel"],
                "moment_order": [1, 2, 3, 4],
            },
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Cumulants ``(estimate, channel, cumulant)``."""
        if "log_moments_truth" not in stats:
            return {}
        found = {kind: cumulants(runs.mean(stats[f"log_moments_{kind}"])) for kind in KINDS}
        if "member" in found["members"].dims:
            found["members"] = found["members"].mean("member", skipna=False)
        rows = {kind: _flat(values) for kind, values in found.items()}
        error = rows["members"] - rows["truth"]
        return {
            f"cumulant_{kind}": runs.estimate(values, f"cumulants of the logarithm, {kind}")
            for kind, values in rows.items()
        } | {"cumulant_error": runs.estimate(error, "cumulants, members minus truth")}


def _raw_moments(case: Case, name: str, side: int) -> np.ndarray:
    """Means of ``y, y^2, y^3, y^4`` over windows and pixels, ``(member, channel, order)``.

    One member of the truth; NaN if squares do not fit into the window.
    """
    if side == 1:
        truth, members = case.shared(case_logs)
        y = truth[None] if name == "truth" else members
    elif any(pixels % side for pixels in case.shape):
        n_members = 1 if name == "truth" else case.n_members
        return np.full((n_members, len(case.fields), 4), np.nan)
    else:
        means = case.ensemble[name].coarsen(y=side, x=side).mean()
        logs = log_maps(means, case.scales, case.fields)
        logs = logs if "member" in logs.dims else logs.expand_dims("member")
        y = logs.transpose("member", "sample", "channel", "y", "x").values
    first, pixels = y.mean(axis=(1, 3, 4)), y[0, :, 0].size
    square = y * y
    sums = [np.einsum("mscyx,mscyx->mc", a, b) for a, b in ((y, y), (square, y), (square, square))]
    return np.stack([first, *(each / pixels for each in sums)], axis=-1)


def cumulants(moments: xr.DataArray) -> xr.DataArray:
    """Variance, skewness and excess kurtosis from raw moments.

    Parameters
    ----------
    moments
        ``(..., moment_order)`` of the orders 1 to 4.

    Returns
    -------
    ``(..., cumulant)``; skewness and kurtosis are NaN where there is no variance.
    """
    m1, m2, m3, m4 = (moments.sel(moment_order=order, drop=True) for order in (1, 2, 3, 4))
    variance = m2 - m1**2
    third = m3 - 3 * m1 * m2 + 2 * m1**3
    fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    # round-off of a field of one value is no variance
    some = variance.where(variance > 1.0e-10 * (1.0 + m1**2))
    rows = [variance, third / some**1.5, fourth / some**2 - 3.0]
    return xr.concat(rows, "cumulant").assign_coords(cumulant=list(NAMES))


def _flat(values: xr.DataArray) -> xr.DataArray:
    """``(replicate, channel, cumulant)`` with the squares in the names."""
    rows, names = [], []
    for side in SQUARES:
        for name in NAMES:
            rows.append(values.sel(square=side, cumulant=name, drop=True))
            names.append(name if side == 1 else f"{name}, squares of {side}")
    return xr.concat(rows, "cumulant").assign_coords(cumulant=names)
