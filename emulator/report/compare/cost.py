"""What a model costs: its training, and a member."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from emulator.model.bundle import count_weights
from emulator.report.draws import n_drawn
from emulator.report.inputs import read_benchmarks, read_history


@dataclass(frozen=True)
class Cost:
    """Numbers of one experiment; None: not recorded.

    Attributes
    ----------
    steps
        Of one model.
    train_seconds
        Of all models (seeds) together.
    weights
        Numbers of one network.
    evaluations
        Of the network, for one member.
    member_ms
        Wall time of the jobs that drew, their start included, over all members of all windows.
    """

    steps: int | None
    train_seconds: float | None
    weights: int | None
    evaluations: int | None
    member_ms: float | None


def read_cost(
    folder: Path, bundles: Sequence[Path], metrics: xr.Dataset, ensemble: Mapping[str, Any]
) -> Cost:
    """From histories, weights, an ensemble's attributes, and the workflow's benchmark tables.

    Parameters
    ----------
    folder
        Of the results.
    bundles
        Of its models.
    metrics
        Of all ensembles: they say how many members were drawn.
    ensemble
        Attributes of one of them; empty: it is not there.
    """
    histories = [read_history(bundle / "history.csv") or {} for bundle in bundles]
    seconds = [_last(history.get("seconds", ())) for history in histories]
    steps = _last(histories[0].get("step", ()))
    sampling = next(
        (row for row in read_benchmarks(folder / "benchmarks") if row["rule"] == "sample"), None
    )
    return Cost(
        steps=None if steps is None else int(steps),
        train_seconds=None if None in seconds else math.fsum(s for s in seconds if s is not None),
        weights=count_weights(bundles[0]),
        evaluations=int(ensemble["n_steps"]) if "n_steps" in ensemble else None,
        member_ms=None if sampling is None else 1e3 * sampling["seconds"] / n_drawn(metrics),
    )


def _last(values: Sequence[float]) -> float | None:
    known = [value for value in values if np.isfinite(value)]
    return known[-1] if known else None
