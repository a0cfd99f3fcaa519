"""Slopes of responses, members over truth, of all models side by side."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from emulator.report.compare.inputs import Trained
from emulator.report.page import Table
from emulator.report.text import with_interval


def response_slopes(models: Sequence[Trained]) -> xr.DataArray | None:
    """``(model, estimate, parameter, field)`` of what is judged; None without a response set.

    Parameters and fields to which no truth responds are left out; where a model is not told a
    parameter, or the truth does not respond, the slope is NaN.
    """
    if any("response_slope" not in model.metrics for model in models):
        return None
    parts = [_judged(model.metrics) for model in models]
    names = xr.DataArray([model.label for model in models], dims="model", name="model")
    slopes: xr.DataArray = xr.concat(parts, names)
    known = slopes.sel(estimate="value").notnull()
    parameters, fields = (
        known.any([dim for dim in known.dims if dim != kept]) for kept in ("parameter", "field")
    )
    slopes = slopes.isel(
        parameter=np.flatnonzero(parameters.values), field=np.flatnonzero(fields.values)
    )
    return slopes if slopes.size else None


def _judged(metrics: xr.Dataset) -> xr.DataArray:
    counts = metrics["response_judged"].any("summary")
    return metrics["response_slope"].where(counts).transpose("estimate", "parameter", "field")


def slope_tables(slopes: xr.DataArray, labels: dict[str, str]) -> list[Table]:
    """One table a field: parameters by models."""
    return [
        Table(
            [labels[str(field)], *map(str, slopes["model"].values)],
            [
                [parameter, *_cells(slopes.sel(field=field, parameter=parameter))]
                for parameter in answered(slopes.sel(field=field))
            ],
            f"Responses of {labels[str(field)]}, members over truth. Good: 1.",
        )
        for field in slopes["field"].values
    ]


def answered(slopes: xr.DataArray) -> list[str]:
    """Parameters of which one model at least has a slope, of one field."""
    known = slopes.sel(estimate="value").notnull().any("model")
    return [str(name) for name in slopes["parameter"].values[known.values]]


def _cells(slopes: xr.DataArray) -> list[str]:
    return [with_interval(values) for values in slopes.transpose("model", "estimate").values]
