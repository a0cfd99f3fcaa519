r"""What parameters do: responses of members beside those of the truth, with two bars a field.

A response set moves one parameter at a time in universes of equal phases, and its members share
their noise: differences between its simulations are the work of the parameter. Summaries of a
field are its mass in the windows, the variance of its pixels and its power in bins of wave number,
over the same of the DMO map: what the map shows by itself is no merit of a model that has read it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from emulator.fields import Field, with_total
from emulator.metrics.bars import interval_of
from emulator.metrics.base import Bar, Case, Metric
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.median_size import median_size
from emulator.metrics.parameter_steps import (
    draw_counts,
    slope_through_zero,
    slopes,
    step_weights,
)
from emulator.metrics.window_moments import log_of, summaries, weighted_means, window_moments
from emulator.units import Unit

if TYPE_CHECKING:
    from emulator.config import ValidationConfig

Array = NDArray[np.float64]

SIGNIFICANT = 3.0
"""A response of the truth is judged from so many of its own errors on; of few windows from more,
that have the same probability in Student's distribution."""

NOTABLE = 0.02
"""... and if it changes the summary by so much across the whole range: 2 % is the accuracy that is
asked of the best known spectrum, and equal phases make far smaller effects significant."""

LEAST = 0.1
"""A response of less than this share of the truth's has no sign: a model that ignores a parameter
answers by round-off, or by the little that another summary carries over."""

N_DRAWS, SEED = 200, 0
QUANTILES = (0.16, 0.84)
ONE = {"units": str(Unit.DIMENSIONLESS)}


class Response(Metric):
    """d ln(summary) / d parameter of members and truth; right in sign, and in size."""

    name = "response"
    label = "Response to parameters"
    estimator = (
        "slope of least squares through steps of one parameter, members with common noise; errors "
        "by a bootstrap that draws as many windows as one projection has, as all of them see the "
        "same halos; the bias of the logarithm of a mean; errors make the size, which is folded at "
        "0, too large; 2 members or more"
    )
    variables = (
        "response_truth",
        "response_members",
        "response_judged",
        "response_slope",
        "response_sign",
        "response_size",
    )
    panels = ()
    format = ".0%"
    place = 90.0
    of_response_sets = True
    of_volumes = True

    def compute(self, case: Case) -> xr.Dataset:
        """Moments of every window: mean, mean square, power in bins; of truth, members and DMO."""
        names = list(case.params)
        told = np.isin(names, case.ensemble["parameter"].values)
        return window_moments(case).assign(
            response_place=(
                "parameter",
                list(case.params.values()),
                ONE | {"long_name": "place in the range of the parameter, 0 to 1"},
            ),
            response_told=(
                "parameter",
                told,
                ONE | {"long_name": "whether the model is told the parameter"},
            ),
            response_projections=(
                (),
                len(np.unique(case.ensemble["projection"].values)),
                ONE | {"long_name": "projections that the windows are of"},
            ),
            parameter=names,
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Responses ``(estimate, parameter, field, summary)``, and what is judged of them."""
        if "response_place" not in stats:
            return {}
        rows = with_total(fields)
        moments = {
            kind: stats[f"response_moments_{kind}"]
            .transpose("response", "window", ..., "moment")
            .values
            for kind in ("truth", "members", "dmo")
        }
        rng = np.random.default_rng(SEED)
        n_windows, n_members = stats.sizes["window"], stats.sizes["response_member"]
        alone = max(2, round(n_windows / int(stats["response_projections"].max())))
        windows = draw_counts(n_windows, N_DRAWS, rng, n_picked=alone)
        picks = draw_counts(n_members, N_DRAWS, rng)
        found = {kind: summaries(weighted_means(windows, of)) for kind, of in moments.items()}
        members = np.einsum("dm,drmfs->drfs", picks, found["members"])
        dmo = np.where([[f.adds_up] for f in rows], log_of(found["dmo"])[:, :, None], 0.0)
        # the mean of a signed field has no logarithm
        bad = np.array([[f.signed] for f in rows]) & (np.arange(dmo.shape[-1]) == 0)
        weights = step_weights(stats["response_place"].transpose("response", "parameter").values)
        truth, drawn = (
            slopes(np.where(bad, np.nan, log_of(values) - dmo), weights)
            for values in (found["truth"], members)
        )
        told = stats["response_told"].isel(response=0).values.astype(bool)
        return _tabulate(
            truth,
            drawn,
            told,
            significant(alone),
            {
                "parameter": stats["parameter"].values,
                "field": [field.name for field in rows],
                "summary": ["mass", "variance", *stats["moment"].values[2:].tolist()],
            },
        )

    def bars(
        self, metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]
    ) -> list[Bar]:
        """Sign and size of every field that responds."""
        if "response_judged" not in metrics:
            return []
        counts = metrics["response_judged"].sum(("parameter", "summary"))
        return [
            bar
            for field in with_total(fields)
            if int(counts.sel(field=field.name))
            for bar in _bars(metrics, field, config)
        ]


def _tabulate(
    truth: Array,
    members: Array,
    told: NDArray[np.bool_],
    n_sigma: float,
    coords: dict[str, object],
) -> dict[str, xr.DataArray]:
    """Draws ``(draw, parameter, field, summary)`` as estimates, with all that is judged."""
    error = truth[1:].std(axis=0, ddof=1)
    judged = (np.abs(truth[0]) > n_sigma * error) & (np.abs(truth[0]) >= NOTABLE)
    judged &= told[:, None, None]
    slope = slope_through_zero(members, truth, error, judged)
    right = members * np.sign(truth[0]) > LEAST * np.abs(truth[0])
    count = judged.sum(axis=(0, 2))
    sign = np.where(judged, right, 0.0).sum(axis=(1, 3)) / np.where(count > 0, count, np.nan)
    undefined = (judged & np.isnan(members)).any(axis=3)
    slope = np.where(undefined, np.nan, slope)
    size = median_size(slope, judged.any(axis=2))
    whole, by_parameter = ("parameter", "field", "summary"), ("parameter", "field")

    def labelled(values: Array, dims: tuple[str, ...], meaning: str) -> xr.DataArray:
        return xr.DataArray(
            values,
            dims=("estimate", *dims),
            coords={"estimate": ["value", "low", "high"], **{name: coords[name] for name in dims}},
            attrs=ONE | {"long_name": meaning},
        )

    def estimates(draws: Array, dims: tuple[str, ...], meaning: str) -> xr.DataArray:
        with np.errstate(invalid="ignore"):
            bounds = np.quantile(draws[1:], QUANTILES, axis=0)
        return labelled(np.concatenate([draws[:1], bounds]), dims, meaning)

    unit = "d ln(summary over that of the DMO map) / d parameter, across its whole range"
    return {
        "response_truth": estimates(truth, whole, f"{unit}, truth"),
        "response_members": estimates(members, whole, f"{unit}, members"),
        "response_judged": xr.DataArray(
            judged,
            dims=whole,
            coords={name: coords[name] for name in whole},
            attrs=ONE | {"long_name": "whether the truth responds by more than 3 sigma and 2 %"},
        ),
        "response_slope": estimates(slope, by_parameter, "members over truth, slope of responses"),
        "response_sign": estimates(sign, ("field",), "share of responses of the right sign"),
        "response_size": labelled(size, ("field",), "|slope - 1|, median over parameters"),
    }


def significant(n_windows: int) -> float:
    """Errors from so many windows that are as rare as 3 sigma."""
    tail = 1.0 - special.ndtr(SIGNIFICANT)
    return float(special.stdtrit(n_windows - 1, 1.0 - tail))


def _bars(metrics: xr.Dataset, field: Field, config: "ValidationConfig") -> list[Bar]:
    """Sign and size of one field."""
    judged = metrics["response_judged"].sel(field=field.name)
    slope = metrics["response_slope"].sel(field=field.name, estimate="value")
    sign, size = (metrics[f"response_{name}"].sel(field=field.name) for name in ("sign", "size"))
    n_judged, bars = int(judged.sum()), config.bars
    counts = judged.any("summary")
    off = abs(slope - 1.0).fillna(np.inf).where(counts, -np.inf)
    worst = str(slope["parameter"].values[int(off.argmax("parameter"))])
    number = float(slope.sel(parameter=worst))
    share, found = float(sign.sel(estimate="value")), float(size.sel(estimate="value"))
    middle = f"{found:.0%}" if np.isfinite(found) else "not defined"
    how_much = f"{number:.0%}" if np.isfinite(number) else "not defined"
    return [
        Bar(
            name=f"sign of responses, {field.label}",
            field=field.name,
            statistic="response_sign",
            value=share,
            comparison=">=",
            threshold=bars.response_sign,
            text=(
                f"{bars.response_sign:.0%} of the {n_judged} responses of {field.label} that the "
                f"truth has beyond {SIGNIFICANT:g} sigma should have its sign; {share:.0%} do."
            ),
            interval=interval_of(sign),
        ),
        Bar(
            name=f"size of responses, {field.label}",
            field=field.name,
            statistic="response_size",
            value=found,
            comparison="<=",
            threshold=bars.response_size,
            text=(
                f"Responses of {field.label} should be within {bars.response_size:.0%} of the "
                f"truth's, as the median over the {int(counts.sum())} parameters that it responds "
                f"to; they are off by {middle}. The worst is to {worst}, {how_much} of the truth's."
            ),
            interval=interval_of(size),
            facts={"parameter_worst": worst},
        ),
    ]
