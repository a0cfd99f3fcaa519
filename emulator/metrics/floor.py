"""What the representation cannot draw: mass of the truth in pixels that a model counts as empty.

A hurdle is trained on zero, or on more than its floor. So the mass below the floor is missing from
every model, however it is trained; a lower floor is the only cure.
"""

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.domain import Domain, domain_of
from emulator.fields import Field
from emulator.metrics.base import Case, Metric, Panel
from emulator.metrics.channels import common_unit
from emulator.metrics.jackknife import Jackknife
from emulator.nouns import capital

EMPTY_BELOW = "empty_below"
"""Attribute of an ensemble: by channel, the value up to which its models draw nothing, JSON."""


class Floor(Metric):
    """Share of each field's mass in pixels between zero and the floor of its transform."""

    name = "floor"
    label = "What the representation cannot draw"
    estimator = "ratio of sums over pixels of the truth; no member enters"
    variables = ("mass_below_floor",)
    place = 75.0
    of_volumes = True

    def panels_of(self, domain: Domain) -> tuple[Panel, ...]:
        """The share of every channel."""
        amount = domain.nouns.amount
        caption = (
            f"{capital(amount)} of the truth in pixels that the model's transform counts as empty: "
            "no training brings it back, a lower floor of the channel does. Good: well below the "
            f"bar of the {amount}."
        )
        return (Panel("mass_below_floor", f"share of the truth's {amount}", caption, ".2%"),)

    def compute(self, case: Case) -> xr.Dataset:
        """Sums below and above the floor ``(channel)``; empty if the ensemble does not say it."""
        if EMPTY_BELOW not in case.ensemble.attrs:
            return xr.Dataset()
        limits = json.loads(case.ensemble.attrs[EMPTY_BELOW])
        truth = abs(case.ensemble["truth"].astype(np.float64))
        names = [field.name for field in case.fields]
        limit = xr.DataArray(
            [limits.get(name) or 0.0 for name in names], dims="channel", coords={"channel": names}
        )
        attrs, amount = {"units": common_unit(case.fields)}, case.domain.nouns.mean_amount
        pixels = ("sample", *case.domain.axes)
        return xr.Dataset(
            {
                f"truth_{side}_floor": truth.where(inside, 0.0)
                .mean(pixels)
                .assign_attrs(attrs, long_name=f"{amount} in pixels {side} the floor")
                for side, inside in (("below", truth <= limit), ("above", truth > limit))
            }
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Share ``(estimate, channel)``."""
        if "truth_below_floor" not in stats:
            return {}
        below, above = (runs.mean(stats[f"truth_{side}_floor"]) for side in ("below", "above"))
        whole = below + above
        amount = domain_of(stats.attrs, "statistics").nouns.amount
        meaning = f"share of the truth's {amount} in pixels that the model draws as empty"
        return {"mass_below_floor": runs.estimate(below / whole.where(whole > 0), meaning)}
