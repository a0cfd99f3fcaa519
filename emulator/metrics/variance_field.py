r"""Where the scatter is: power of the map of the ensemble's variance, over that of re-draws.

Calibration of every class and of every scale does not say that the scatter lies at the right
places. The variance map :math:`v(x)` of a window has structure of its own; its spectrum is compared
with that of truths drawn again.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.domain import Domain
from emulator.fields import Field
from emulator.metrics.base import Case, Metric, Panel
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.power_spectrum import Shells, build_shells, fourier_modes, shell_power

SMALLEST, LARGEST = 4, 16
"""Members for two variances that share none; and how many are used: the work is that of pairs."""


class VarianceField(Metric):
    """``P(k)`` of the variance map of the members over that of re-drawn truths.

    No bar: a model that knows the projected map alone scatters by more than truths of the same
    halos in three dimensions, so that a ratio above 1 is no fault by itself.
    """

    name = "variance_field"
    label = "Variance of the ensemble, scale by scale"
    estimator = (
        "cross spectra of variance maps of disjoint pairs of members, unbiased for 4 members and 4 "
        "re-draws or more; ratio of means"
    )
    variables = ("variance_power_members", "variance_power_redraws", "variance_power_ratio")
    place = 68.0

    def panels_of(self, domain: Domain) -> tuple[Panel, ...]:
        """The ratio of the spectra."""
        above = (
            "a model that knows the projected map alone scatters more than truths of the same halos"
            if domain.is_matter
            else "a model that knows less than the truth does scatters more"
        )
        caption = (
            "Power spectrum of the map of the ensemble's variance over that of truths drawn again: "
            "whether the scatter lies at the right places. Good: flat and not far above 1; "
            f"{above}."
        )
        return (Panel("variance_power_ratio", "$P_{var}$, members / re-drawn truths", caption),)

    def compute(self, case: Case) -> xr.Dataset:
        """Mean spectra ``(channel, k)``; empty with fewer than 4 members or 4 re-draws."""
        ensemble = case.ensemble
        if min(case.n_members, ensemble.sizes.get("draw", 0)) < SMALLEST:
            return xr.Dataset()
        shells = build_shells(case.shape, case.pixel_mpch)
        attrs = {
            "units": case.domain.power,
            "long_name": "power spectrum of the variance map",
        } | (
            {"mass_unit": "mean DMO mass per pixel, or root mean square over the box, squared"}
            if case.domain.is_matter
            else {"scale": "mean square over all maps"}
        )
        spectra = {}
        for name, draws, dim in (
            ("members", ensemble["fields"], "member"),
            ("redraws", ensemble["truth_redraw"], "draw"),
        ):
            used = draws.isel({dim: slice(LARGEST)})
            scaled = (used / case.scales).transpose("sample", "channel", dim, "y", "x").values
            rows = [variance_power(window, shells) for window in scaled.astype(np.float64)]
            spectra[f"variance_spectrum_{name}"] = (("channel", "k"), np.mean(rows, axis=0), attrs)
        of_k = {"units": case.domain.wave_number, "long_name": "wave number"}
        k = ("k", shells.k_hmpc, of_k)
        return xr.Dataset(spectra, coords={"channel": ensemble["channel"], "k": k})

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Spectra and their ratio ``(estimate, channel, k)``."""
        if "variance_spectrum_members" not in stats:
            return {}
        members, redraws = (
            runs.mean(stats[f"variance_spectrum_{name}"]) for name in ("members", "redraws")
        )
        power = stats["variance_spectrum_members"].attrs["units"]
        # unbiased spectra may be negative, and a ratio over them is no number
        ratio = members / redraws.where(redraws > 0)
        meaning = "power of the variance map, members over re-drawn truths"
        return {
            "variance_power_members": runs.estimate(members, "power of the variance map", power),
            "variance_power_redraws": runs.estimate(
                redraws, "power of the variance map of re-drawn truths", power
            ),
            "variance_power_ratio": runs.estimate(ratio, meaning),
        }


def variance_power(members: NDArray[np.float64], shells: Shells) -> NDArray[np.float64]:
    r"""Power spectrum of the map of the variance, without the noise of its estimate.

    With maps :math:`v_{ij} = (x_i - x_j)^2 / 2` of pairs of members, whose mean is the variance
    with the divisor M - 1, it is the mean cross spectrum of two pairs without a common member,

    .. math:: \langle \hat v_{ij} \hat v_{kl}^* \rangle_{i,j,k,l\ \mathrm{distinct}}
              = \frac{|T|^2 - \sum_i |s_i|^2 + \sum_{i<j} |\hat v_{ij}|^2}
                     {\binom M2 \binom{M-2}{2}},
              \quad T = \sum_{i<j} \hat v_{ij}, \quad s_i = \sum_{j \ne i} \hat v_{ij} .

    Parameters
    ----------
    members
        ``(..., member, y, x)``.
    shells
        Of maps of this size.

    Returns
    -------
    ``(..., k)``.

    Raises
    ------
    ValueError
        For fewer than 4 members.

    Notes
    -----
    Unbiased for every M >= 4: members are independent draws, so two pairs without a common one have
    the product of the two expectations. It may be negative for a single window.
    """
    n_members = members.shape[-3]
    if n_members < SMALLEST:
        raise ValueError(f"expected at least {SMALLEST} members, got {n_members}")
    shape = (*members.shape[:-3], members.shape[-2], members.shape[-1] // 2 + 1)
    total = np.zeros(shape, complex)
    of_member = [np.zeros(shape, complex) for _ in range(n_members)]
    of_pairs = np.zeros((*members.shape[:-3], shells.k_hmpc.size))
    for i, j in itertools.combinations(range(n_members), 2):
        pair = fourier_modes(0.5 * (members[..., i, :, :] - members[..., j, :, :]) ** 2)
        of_pairs += shell_power(pair, pair, shells)
        total += pair
        of_member[i] += pair
        of_member[j] += pair
    shared = sum(shell_power(modes, modes, shells) for modes in of_member)
    n_pairs = n_members * (n_members - 1) * (n_members - 2) * (n_members - 3) / 4
    result: NDArray[np.float64] = (shell_power(total, total, shells) - shared + of_pairs) / n_pairs
    return result
