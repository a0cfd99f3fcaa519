r"""Winkler's score of central intervals, beside that of re-drawn truths."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.fields import Field
from emulator.metrics.base import Case, Metric
from emulator.metrics.calibration import MIN_MEMBERS, require_members
from emulator.metrics.channels import common_unit
from emulator.metrics.jackknife import Jackknife
from emulator.units import Unit


class IntervalScore(Metric):
    """Width of intervals plus what truths outside cost; over that of the oracle.

    The oracle is the ensemble of the other draws of the same truth. It has few draws, and the score
    of an interval between order statistics depends on how many there are: members and draws are cut
    to one number. No bar: re-drawn truths know the halos in three dimensions, the model their map.
    """

    name = "interval_score"
    label = "Score of intervals"
    estimator = (
        "Winkler's score of intervals between order statistics, of as many members as there are "
        "re-drawn truths (at least 2), so that both have the same bias; narrow members gain at low "
        "levels; ratio of means"
    )
    variables = ("interval_score", "interval_score_oracle", "interval_score_ratio")
    panels = ()
    place = 64.0
    of_volumes = True

    def compute(self, case: Case) -> xr.Dataset:
        """Mean scores ``(level, channel)`` of members and oracle; empty without two re-draws."""
        ensemble = case.ensemble
        size = min(ensemble.sizes.get("draw", 0), case.n_members)
        if size < MIN_MEMBERS:
            return xr.Dataset()
        truth, first = ensemble["truth"], {"member": slice(size)}
        draws = ensemble["truth_redraw"].rename(draw="member")
        unit = {"units": common_unit(case.fields), "long_name": "Winkler's score of an interval"}
        return xr.Dataset(
            {
                name: interval_score(members.isel(first), truth).assign_attrs(unit)
                for name, members in (
                    ("winkler", ensemble["fields"]),
                    ("winkler_oracle", draws),
                )
            }
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Scores and their ratio ``(estimate, level, channel)``."""
        if "winkler" not in stats:
            return {}
        unit = common_unit(fields)
        members, oracle = runs.mean(stats["winkler"]), runs.mean(stats["winkler_oracle"])
        ratio = members / oracle.where(oracle > 0)
        meaning = "interval score of the members over that of re-drawn truths"
        return {
            "interval_score": runs.estimate(members, "interval score of the members", unit),
            "interval_score_oracle": runs.estimate(
                oracle, "interval score of re-drawn truths", unit
            ),
            "interval_score_ratio": runs.estimate(ratio, meaning),
        }


def interval_score(members: xr.DataArray, truth: xr.DataArray) -> xr.DataArray:
    r"""Mean over pixels of the score of every central interval between order statistics.

    .. math:: S = (u - l) + \frac{2}{\alpha} (l - y)_+ + \frac{2}{\alpha} (y - u)_+,
              \qquad 1 - \alpha = \frac{M + 1 - 2 j}{M + 1}

    with :math:`l, u` the j-th smallest and j-th largest member.

    Parameters
    ----------
    members, truth
        ``(sample, member, channel, y, x)`` and the same without ``member`` [unit of each field].

    Returns
    -------
    ``(level, channel)`` in the unit of the field; ``level`` is the nominal share, increasing.
    Smaller is better.

    Raises
    ------
    ValueError
        For fewer than 2 members.

    Notes
    -----
    Proper for quantiles that are known. With order statistics of M members it depends on M (compare
    ensembles of one size), and intervals near the median gain by being narrow, as their ends
    scatter less: judge width by coverage, and this at the widest level.

    References
    ----------
    Strictly proper scoring rules, prediction, and estimation (Gneiting, Raftery 2007), eq. 43,
    https://doi.org/10.1198/016214506000001437
    """
    n_members = require_members(members)
    ordered = np.sort(members.transpose("member", *truth.dims).values.astype(np.float64), axis=0)
    y, channel = truth.values.astype(np.float64), truth.get_axis_num("channel")
    pixels = tuple(axis for axis in range(y.ndim) if axis != channel)
    levels, rows = [], []
    for j in range(n_members // 2, 0, -1):
        low, high, alpha = ordered[j - 1], ordered[n_members - j], 2.0 * j / (n_members + 1)
        outside = np.maximum(low - y, 0.0) + np.maximum(y - high, 0.0)
        levels.append(1.0 - alpha)
        rows.append((high - low + 2.0 / alpha * outside).mean(axis=pixels))
    return xr.DataArray(
        np.stack(rows),
        dims=("level", "channel"),
        coords={
            "level": ("level", levels, {"units": str(Unit.DIMENSIONLESS)}),
            "channel": truth["channel"],
        },
    )
