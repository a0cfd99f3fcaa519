r"""Energy score: the CRPS of whole windows, which sees how pixels go together."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from emulator.domain import Domain
from emulator.fields import Field
from emulator.metrics.base import Case, Metric, Panel
from emulator.metrics.calibration import MIN_MEMBERS, require_members
from emulator.metrics.jackknife import Jackknife
from emulator.units import Unit


class EnergyScore(Metric):
    """Fair energy score of the windows of a field, over that of re-drawn truths.

    In units of ``asinh(x / s)``, with ``s`` the mean DMO mass of a pixel (the root mean square of
    fields that are no masses): linear in faint pixels, logarithmic in bright ones, so that no
    single halo decides. No bar: re-drawn truths know the halos in three dimensions, the model
    their map.
    """

    name = "energy"
    label = "Energy score of windows"
    estimator = "fair energy score, that of an infinite ensemble for 2 members or more"
    variables = ("energy_score", "energy_score_oracle", "energy_score_ratio")
    place = 66.0

    def panels_of(self, domain: Domain) -> tuple[Panel, ...]:
        """The score, and that over re-drawn truths."""
        nouns = domain.nouns
        return (
            Panel(
                "energy_score",
                "energy score",
                "The CRPS of whole windows, per pixel, in units of asinh(x / s), s "
                f"{nouns.field_scale}. Smaller is better.",
            ),
            Panel(
                "energy_score_ratio",
                "over that of re-drawn truths",
                f"Good: close to 1, which a model that knows {nouns.given} alone cannot reach. A "
                "dash where fewer than two truths were drawn again.",
                ".2f",
            ),
        )

    def compute(self, case: Case) -> xr.Dataset:
        """Mean score of members and oracle by channel; NaN of the oracle without two re-draws."""
        ensemble = case.ensemble
        truth = _transform(ensemble["truth"], case.scales)
        members = _transform(ensemble["fields"], case.scales)
        attrs = {"units": str(Unit.DIMENSIONLESS), "long_name": "fair energy score per pixel"}
        scores = {"energy": energy_score(members, truth).mean("sample")}
        if ensemble.sizes.get("draw", 0) >= MIN_MEMBERS:
            draws = _transform(ensemble["truth_redraw"].rename(draw="member"), case.scales)
            oracle = energy_score(draws, truth).mean("sample")
        else:
            oracle = xr.full_like(scores["energy"], np.nan)
        return xr.Dataset(
            {
                name: values.assign_attrs(attrs)
                for name, values in (scores | {"energy_oracle": oracle}).items()
            }
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Scores and their ratio ``(estimate, channel)``, the ratio on the same simulations."""
        if "energy" not in stats:
            return {}
        known = stats["energy_oracle"].notnull()
        oracle, same = (
            runs.mean(stats["energy_oracle"]),
            runs.mean(stats["energy"].where(known)),
        )
        meaning = "energy score of the members over that of re-drawn truths"
        return {
            "energy_score": runs.estimate(runs.mean(stats["energy"]), "energy score, members"),
            "energy_score_oracle": runs.estimate(oracle, "energy score, re-drawn truths"),
            "energy_score_ratio": runs.estimate(same / oracle.where(oracle > 0), meaning),
        }


def _transform(values: xr.DataArray, scales: xr.DataArray) -> xr.DataArray:
    transformed: xr.DataArray = xr.apply_ufunc(np.arcsinh, values.astype(np.float64) / scales)
    return transformed


def energy_score(members: xr.DataArray, truth: xr.DataArray) -> xr.DataArray:
    r"""Fair energy score of every window and channel, over the root of the number of pixels.

    .. math:: \frac1M \sum_i \lVert x_i - y \rVert
              - \frac{1}{2 M (M-1)} \sum_{i,j} \lVert x_i - x_j \rVert

    with the Euclidean norm over the pixels of a window.

    Parameters
    ----------
    members, truth
        ``(sample, member, channel, y, x)`` and the same without ``member``.

    Returns
    -------
    ``(sample, channel)``: root mean square over pixels, in the unit given. Smaller is better.

    Raises
    ------
    ValueError
        For fewer than 2 members.

    Notes
    -----
    Its expectation is that of an infinite ensemble for every M >= 2. A window of one pixel has the
    fair CRPS. Weak in telling correlations apart, where spectra are strong.

    References
    ----------
    Strictly proper scoring rules (Gneiting, Raftery 2007), eq. 22; fair scores (Ferro 2014),
    https://doi.org/10.1002/qj.2270
    """
    n_members = require_members(members)
    order = ("sample", "channel", "member", "y", "x")
    x = members.transpose(*order).values
    y = truth.transpose("sample", "channel", "y", "x").values
    to_truth = _distance(x - y[:, :, None]).mean(axis=2)
    apart = np.zeros(to_truth.shape)
    for i in range(1, n_members):
        apart += _distance(x[:, :, i:] - x[:, :, :-i]).sum(axis=2)
    score = to_truth - apart / (n_members * (n_members - 1))
    return xr.DataArray(score, dims=order[:2], coords={"channel": truth["channel"]})


def _distance(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square over the pixels of windows."""
    result: NDArray[np.float64] = np.sqrt((difference**2).mean(axis=(-2, -1)))
    return result
