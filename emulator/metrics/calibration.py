r"""Is the truth one more member of the ensemble? Scores and tests of calibration.

An ensemble :math:`x_1 \dots x_M` is calibrated if the truth :math:`y` is exchangeable with its
members. Then, exactly and for every :math:`M`: the rank of :math:`y` is uniform, an interval
between order statistics covers its nominal share, ``sqrt((M+1)/M) * spread = skill``, and the truth
correlates with a member as members do with each other, at every wave number.

Not guaranteed: pixels are not independent, so the errors of these numbers come from resampling
whole simulation runs (see :mod:`emulator.metrics.jackknife`), never from pixel counts.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.units import Unit

MIN_MEMBERS = 2


def require_members(ensemble: xr.DataArray, minimum: int = MIN_MEMBERS) -> int:
    """Size of the dimension ``member``; fewer than ``minimum`` is a ``ValueError``."""
    n_members = ensemble.sizes.get("member", 0)
    if n_members < minimum:
        raise ValueError(f"expected at least {minimum} members, got {n_members}")
    return n_members


def crps(ensemble: xr.DataArray, truth: xr.DataArray) -> xr.DataArray:
    r"""Fair continuous ranked probability score of every pixel.

    .. math:: \frac1M \sum_i |x_i - y| - \frac{1}{2 M (M-1)} \sum_{i,j} |x_i - x_j|

    Parameters
    ----------
    ensemble
        Dimensions ``(..., member, ...)``.
    truth
        The same dimensions without ``member``, in the same unit.

    Returns
    -------
    Dimensions and unit of ``truth``; smaller is better.

    Raises
    ------
    ValueError
        For fewer than 2 members.

    Notes
    -----
    Estimator: fair, so its expectation is that of an infinite ensemble for every M >= 2; the scores
    of ensembles of different size compare. It may be negative for a single pixel. A deterministic
    forecast has the score ``|x - y|``.

    References
    ----------
    Fair scores for ensemble forecasts (Ferro 2014), https://doi.org/10.1002/qj.2270
    """
    import scoringrules

    require_members(ensemble)
    members = ensemble.transpose(*truth.dims, "member").values.astype(np.float64)
    errors = members - truth.values.astype(np.float64)[..., None]
    # the same number from sorted members, without all of their pairs; of errors, which are as large
    # as the score, nothing cancels
    errors.sort(axis=-1)
    values = scoringrules.crps_ensemble(
        np.zeros(truth.shape), errors, estimator="pwm", sorted_ensemble=True
    )
    return truth.copy(data=values).assign_attrs(long_name="continuous ranked probability score")


def spread_and_skill(
    ensemble: xr.DataArray, truth: xr.DataArray
) -> tuple[xr.DataArray, xr.DataArray]:
    """Ensemble variance and squared error of the ensemble mean, pixel by pixel.

    Returns
    -------
    Variance with the divisor M - 1 (unbiased) and ``(mean - truth)^2``, in the squared unit of the
    field. Average both over pixels before the ratio.

    Raises
    ------
    ValueError
        For fewer than 2 members.
    """
    require_members(ensemble)
    values = ensemble.astype(np.float64)
    return values.var("member", ddof=1), (values.mean("member") - truth) ** 2


def spread_skill_ratio(
    variance: xr.DataArray, squared_error: xr.DataArray, n_members: int
) -> xr.DataArray:
    r"""``sqrt((M+1)/M * <variance> / <squared error>)``: 1 if calibrated, below 1 if too confident.

    Notes
    -----
    The factor ``(M+1)/M`` is exact: the mean of M members misses a truth that is exchangeable with
    them by ``variance * (1 + 1/M)``. Smallest ensemble: 2 members.

    References
    ----------
    Why should ensemble spread match the RMSE of the ensemble mean? (Fortin et al. 2014), eq. 15,
    https://doi.org/10.1175/JHM-D-14-0008.1
    """
    if n_members < MIN_MEMBERS:
        raise ValueError(f"expected at least {MIN_MEMBERS} members, got {n_members}")
    squared = (n_members + 1) / n_members * variance / squared_error.where(squared_error > 0)
    ratio = squared**0.5
    ratio.attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "spread over skill"}
    return ratio


def truth_ranks(
    ensemble: xr.DataArray, truth: xr.DataArray, rng: np.random.Generator
) -> xr.DataArray:
    """Number of members below the truth, 0 ... M, with random places among ties.

    Notes
    -----
    Ties are common in sparse fields (empty pixels). Counting them all as "not below" would pile up
    rank 0 in a perfect ensemble; a tie of t members puts the truth uniformly in t + 1 places.

    Raises
    ------
    ValueError
        For fewer than 2 members.
    """
    require_members(ensemble)
    below = (ensemble < truth).sum("member").transpose(*truth.dims)
    ties = (ensemble == truth).sum("member").transpose(*truth.dims)
    return below + rng.integers(0, ties.values + 1)


def rank_histogram(ranks: NDArray[np.integer], n_members: int) -> NDArray[np.float64]:
    """Share of each rank 0 ... M; flat at ``1 / (M + 1)`` if calibrated (unbiased for every M)."""
    counts = np.bincount(np.asarray(ranks).ravel(), minlength=n_members + 1)
    shares: NDArray[np.float64] = counts / max(counts.sum(), 1)
    return shares


def rank_spread(histogram: xr.DataArray) -> xr.DataArray:
    r"""Mean squared distance of the ranks from their middle, over that of flat ranks.

    .. math:: \frac{12}{M (M + 2)} \sum_{r=0}^{M} p_r \Big(r - \frac M2\Big)^2

    1 if calibrated; less is a dome (members too wide), more a U (too narrow) or a slope (biased).

    Parameters
    ----------
    histogram
        Dimension ``rank`` (M + 1 shares), any others.

    Notes
    -----
    Linear in the shares, so unbiased for every M >= 2 and any number of pixels, and means over runs
    come first. It is the second component (of U and dome) of the chi-squared statistic of a rank
    histogram, as a ratio; the whole chi-squared is biased upwards by the number of pixels that are
    independent, which nobody knows.

    Raises
    ------
    ValueError
        For fewer than 2 members.

    References
    ----------
    Evaluating rank histograms using decompositions of the chi-square test statistic (Jolliffe,
    Primo 2008), https://doi.org/10.1175/2007MWR2219.1
    """
    n_members = histogram.sizes["rank"] - 1
    if n_members < MIN_MEMBERS:
        raise ValueError(f"expected at least {MIN_MEMBERS} members, got {n_members}")
    distance = (np.arange(n_members + 1) - n_members / 2.0) ** 2
    flat = n_members * (n_members + 2) / 12.0
    weights = xr.DataArray(distance / flat, dims="rank")
    spread = (histogram * weights).sum("rank", skipna=False)
    spread.attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "spread of ranks, 1 = flat"}
    return spread


def interval_coverage(histogram: xr.DataArray) -> xr.DataArray:
    r"""Coverage of the central intervals between order statistics, from a rank histogram.

    The interval from the j-th smallest to the j-th largest member holds a calibrated truth with
    probability :math:`(M + 1 - 2j) / (M + 1)`, exactly: no quantile is interpolated.

    Parameters
    ----------
    histogram
        Dimension ``rank`` (M + 1 shares), any others.

    Returns
    -------
    Dimension ``nominal`` (increasing) in place of ``rank``.

    Raises
    ------
    ValueError
        For fewer than 2 members.
    """
    n_members = histogram.sizes["rank"] - 1
    if n_members < MIN_MEMBERS:
        raise ValueError(f"expected at least {MIN_MEMBERS} members, got {n_members}")
    orders = range(n_members // 2, 0, -1)
    nominal = [(n_members + 1 - 2 * j) / (n_members + 1) for j in orders]
    parts = [histogram.isel(rank=slice(j, n_members + 1 - j)).sum("rank") for j in orders]
    coverage = xr.concat(parts, dim=xr.DataArray(nominal, dims="nominal", name="nominal"))
    coverage["nominal"].attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "nominal share"}
    coverage.attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "coverage of the interval"}
    return coverage


def member_pair_power(
    power_members: NDArray[np.float64], power_of_mean: NDArray[np.float64], n_members: int
) -> NDArray[np.float64]:
    r"""Mean cross spectrum of two different members, from spectra of the members and of their mean.

    .. math:: \frac{1}{M(M-1)} \sum_{i \ne j} P_{ij} = \frac{M P_{\bar x \bar x} - \bar P}{M - 1}

    Parameters
    ----------
    power_members
        Mean over members of the auto spectra.
    power_of_mean
        Auto spectrum of the ensemble mean.

    Notes
    -----
    Unbiased for every M >= 2 (else ``ValueError``). For a calibrated ensemble its expectation is
    that of the cross spectrum of member and truth, at every wave number.
    """
    if n_members < MIN_MEMBERS:
        raise ValueError(f"expected at least {MIN_MEMBERS} members, got {n_members}")
    return (n_members * power_of_mean - power_members) / (n_members - 1)
