"""Does the model repeat its training? Distances of members and truths to its nearest window.

Held-out truths cannot be copies, so that their distances say how near draws of the right law come
by chance; members of a model that copies come much nearer.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.fields import Field
from emulator.metrics.base import Case, Metric, Panel
from emulator.metrics.jackknife import Jackknife
from emulator.units import Unit

COPY = 0.5
"""A member at less than this share of the distance of its truth counts as a copy."""


class Memorisation(Metric):
    """Distance of members over that of truths, and the share of members that look like copies.

    No bar: blurred members are nearer to everything, so that a ratio somewhat below 1 says no more
    than other metrics do.
    """

    name = "memorisation"
    label = "Distance to the training"
    estimator = (
        "ratio of mean distances to the nearest window of the training, of a member and the truth "
        "of the same windows, four a simulation; 1 for a truth that is exchangeable with members; "
        "any ensemble size"
    )
    variables = ("nearest_ratio", "nearest_copies")
    panels = (
        Panel(
            "nearest_ratio",
            "Distance of members / truths",
            "To the nearest training window at any place and orientation, in logarithms of all "
            "fields. Good: 1. Well below 1 (0.5): members repeat the training. Somewhat below: "
            "they are blurred.",
            ".2f",
        ),
        Panel(
            "nearest_copies",
            "Share of members nearer than half",
            "Members at less than half the distance of the truth of their window. Good: 0.",
            ".2f",
        ),
    )
    smallest_ensemble = 1
    place = 79.0

    def compute(self, case: Case) -> xr.Dataset:
        """Mean distances; empty where the training was not searched."""
        if case.nearest is None:
            return xr.Dataset()
        truth, members = case.nearest.truth, case.nearest.members
        attrs = {"units": str(Unit.DIMENSIONLESS)}
        distance = attrs | {"long_name": "distance to the nearest training window"}
        copies = attrs | {"long_name": f"members below {COPY:g} of the distance of the truth"}
        return xr.Dataset(
            {
                "nearest_truth": ((), float(np.mean(truth)), distance),
                "nearest_members": ((), float(np.mean(members)), distance),
                "nearest_copied": ((), float(np.mean(members < COPY * truth)), copies),
            }
        )

    def summarise(
        self, runs: Jackknife, stats: xr.Dataset, fields: Sequence[Field]
    ) -> dict[str, xr.DataArray]:
        """Ratio and share ``(estimate)``."""
        if "nearest_truth" not in stats:
            return {}
        truth = runs.mean(stats["nearest_truth"])
        ratio = runs.mean(stats["nearest_members"]) / truth.where(truth > 0)
        return {
            "nearest_ratio": runs.estimate(
                ratio, "distance to the nearest training window, members over truths"
            ),
            "nearest_copies": runs.estimate(
                runs.mean(stats["nearest_copied"]), "share of members that look like copies"
            ),
        }
