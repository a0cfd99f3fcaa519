"""The numbers behind a figure as a text table (CSV), which the page holds as a link.

One row a value: the name of the variable, where it stands (one column a dimension, blank where a
variable does not have it), the value and the ends of its interval. Names are those of
``metrics.nc``; digits are six, the file has all of them.
"""

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

ESTIMATES = ("value", "low", "high")


def numbers_of(metrics: xr.Dataset, *names: str) -> str:
    """CSV of variables of ``metrics.nc``; names that it lacks are passed over.

    Parameters
    ----------
    metrics
        Variables with labelled dimensions; those with ``estimate`` get ``value, low, high``.
    """
    found = {name: metrics[name] for name in names if name in metrics}
    dims = list(dict.fromkeys(str(d) for v in found.values() for d in v.dims if d != "estimate"))
    rows = [row for name, values in found.items() for row in _rows(name, values, dims)]
    return to_csv(["variable", *dims, *ESTIMATES], rows)


def _rows(name: str, values: xr.DataArray, dims: Sequence[str]) -> Iterable[list[Any]]:
    if "estimate" in values.dims:
        values = values.sel(estimate=list(ESTIMATES)).transpose("estimate", ...)
    else:
        values = values.expand_dims("estimate")
    labels = {str(dim): _labels(values, str(dim)) for dim in values.dims[1:]}
    table = values.values
    for place in np.ndindex(*table.shape[1:]):
        at = dict(zip(labels, place, strict=True))
        where = [labels[dim][at[dim]] if dim in at else "" for dim in dims]
        numbers = [cell(number) for number in table[(slice(None), *place)]]
        yield [name, *where, *numbers, *[""] * (len(ESTIMATES) - len(numbers))]


def _labels(values: xr.DataArray, dim: str) -> list[Any]:
    return [cell(label) for label in values[dim].values]


def cell(value: Any) -> Any:
    """Six digits of a number, nothing for none; text as it is."""
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else f"{value:.6g}"
    return "" if value is None else value


def to_csv(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(list(row) for row in rows)
    return text.getvalue()


def data_uri(text: str) -> str:
    """A CSV as an address that holds it."""
    return f"data:text/csv;base64,{base64.b64encode(text.encode()).decode('ascii')}"
