r"""Structural similarity of logarithmic maps, of members with the truth and with each other.

With means, variances and covariance of two maps under a Gaussian of 1.5 pixels,

.. math:: \mathrm{SSIM} = \frac{(2 \mu_a \mu_b + c_1)(2 \sigma_{ab} + c_2)}
                               {(\mu_a^2 + \mu_b^2 + c_1)(\sigma_a^2 + \sigma_b^2 + c_2)},
          \qquad c_1 = (0.01 R)^2, \quad c_2 = (0.03 R)^2

averaged over the pixels of a window, which is mirrored beyond its rim (as torchmetrics does). The
range :math:`R` is fixed, so that numbers of different runs compare: it is that of ``ln(x / s)``
from 0.001 to 1000.

Not guaranteed: it is no score of a distribution. A blurred mean is more similar to the truth than
any draw; of draws of the right law, members are as similar to the truth as to each other.

References
----------
Image quality assessment (Wang et al. 2004), https://doi.org/10.1109/TIP.2003.819861
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from emulator.fields import Field
from emulator.metrics.base import Case, Metric, Panel
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.log_maps import FLOOR, case_logs, log_maps
from emulator.units import Unit

Array = NDArray[np.float64]

SIGMA, REACH = 1.5, 5
"""Gaussian [pixel], and pixels to either side."""

RANGE = -2.0 * float(np.log(FLOOR))
PAIRS = {
    "member_truth": "a member and the truth",
    "member_member": "two members",
    "truth_redraw": "the truth and a re-drawn truth",
}


class StructuralSimilarity(Metric):
    """SSIM of member and truth beside those of two members and of two truths."""

    name = "ssim"
    label = "Structural similarity"
    estimator = (
        "mean of local SSIM over windows, members or disjoint pairs of members; unbiased for 2 "
        "members or more; no number of re-draws where there are none"
    )
    variables = tuple(f"ssim_{pair}" for pair in PAIRS)
    panels = tuple(
        Panel(
            f"ssim_{pair}",
            f"SSIM of {what}",
            {
                "member_truth": "Of ln(x / s), range fixed to 0.001 to 1000. Good: that of two "
                "members below, not 1; higher: members are blurred, lower: they miss structure.",
                "member_member": "What a draw of the right law has with the truth as well.",
                "truth_redraw": "What two draws of the truth have in common. A dash: no re-draws.",
            }[pair],
            ".3f",
        )
        for pair, what in PAIRS.items()
    )
    place = 77.0

    def compute(self, case: Case) -> xr.Dataset:
        """Means ``(channel,)``; empty of windows below 11 pixels; NaN without re-draws."""
        ensemble = case.ensemble
        if min(case.shape) < 2 * REACH + 1:
            return xr.Dataset()
        logs, of_members = case.shared(case_logs)
        truth = Smoothed(logs)
        with_truth, with_next = [], []
        for i in range(0, len(of_members), 2):
            pair = [Smoothed(values) for values in of_members[i : i + 2]]
            with_truth += [ssim_of(member, truth) for member in pair]
            with_next += [ssim_of(pair[0], pair[1])] if len(pair) == 2 else []
        found = {
            "member_truth": np.mean(with_truth, axis=0),
            "member_member": np.mean(with_next, axis=0),
            "truth_redraw": np.full(logs.shape[:2], np.nan),
        }
        if ensemble.sizes.get("draw", 0):
            redrawn = log_maps(ensemble["truth_redraw"], case.scales, case.fields)
            draws = redrawn.transpose("draw", "sample", "channel", "y", "x").values
            found["truth_redraw"] = np.mean([ssim_of(Smoothed(each), truth) for each in draws], 0)
        return xr.Dataset(
            {
                f"mean_ssim_{pair}": (
                    "channel",
                    values.mean(axis=0),
                    {"units": str(Unit.DIMENSIONLESS), "long_name": f"SSIM of {PAIRS[pair]}"},
                )
                for pair, values in found.items()
            },
            coords={"channel": ensemble["channel"]},
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """SSIM ``(estimate, channel)``."""
        if "mean_ssim_member_truth" not in stats:
            return {}
        return {
            f"ssim_{pair}": runs.estimate(runs.mean(stats[f"mean_ssim_{pair}"]), f"SSIM of {what}")
            for pair, what in PAIRS.items()
        }


def ssim(a: Array, b: Array, data_range: float = RANGE) -> Array:
    """Mean SSIM of maps ``(..., y, x)``, ``(...)``.

    Parameters
    ----------
    a, b
        Maps of at least 11 pixels a side.
    data_range
        The range :math:`R`, in the unit of the maps.

    Raises
    ------
    ValueError
        For smaller maps, which have no place whose neighbourhood is whole.
    """
    if min(a.shape[-2:]) < 2 * REACH + 1:
        raise ValueError(f"expected maps of at least {2 * REACH + 1} pixels, got {a.shape}")
    return ssim_of(Smoothed(a), Smoothed(b), data_range)


class Smoothed:
    """Maps ``(..., y, x)`` with what does not depend on the others: local means and variances."""

    def __init__(self, maps: Array) -> None:
        """The maps are kept, not copied."""
        self.maps = maps
        self.mean = _smooth(maps)
        self.squared_mean = self.mean**2
        self.variance = _smooth(maps * maps) - self.squared_mean


def ssim_of(a: Smoothed, b: Smoothed, data_range: float = RANGE) -> Array:
    """The number of :func:`ssim` of maps that meet several others."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    product = a.mean * b.mean
    covariance = _smooth(a.maps * b.maps) - product
    local = ((2 * product + c1) * (2 * covariance + c2)) / (
        (a.squared_mean + b.squared_mean + c1) * (a.variance + b.variance + c2)
    )
    result: Array = local.mean(axis=(-2, -1))
    return result


def _smooth(maps: Array) -> Array:
    """Maps under the Gaussian, mirrored at their rim."""
    for axis in (-2, -1):
        maps = ndimage.gaussian_filter1d(maps, SIGMA, axis=axis, radius=REACH, mode="mirror")
    return maps
