"""All metrics: every subclass of ``Metric`` in a file of this folder, found by being there.

A new metric is one file (and its test). It reaches ``metrics.nc`` through :func:`compute` and
:func:`summarise`, the acceptance table through :func:`judge`, and the report through its panels.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

import emulator.metrics
from emulator.fields import Field
from emulator.metrics.base import Bar, Case, Metric
from emulator.metrics.jackknife import Jackknife

if TYPE_CHECKING:
    from emulator.config import ValidationConfig


def discover() -> tuple[Metric, ...]:
    """One object of every metric of the folder, in order of ``place``, then of name.

    Raises
    ------
    ValueError
        Two metrics of one name, or with a variable of one name.
    """
    found: list[Metric] = []
    for info in pkgutil.iter_modules(emulator.metrics.__path__):
        name = f"{emulator.metrics.__name__}.{info.name}"
        if name == __name__:
            continue
        for _, kind in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            abstract = inspect.isabstract(kind) or kind.__module__ != name
            if issubclass(kind, Metric) and not abstract:
                found.append(kind())
    metrics = tuple(sorted(found, key=lambda metric: (metric.place, metric.name)))
    _require_unique(metrics)
    return metrics


def _require_unique(metrics: Sequence[Metric]) -> None:
    owners: dict[str, str] = {}
    for metric in metrics:
        for key in (f"name {metric.name}", *(f"variable {name}" for name in metric.variables)):
            whose = _path(metric)
            if key in owners:
                raise ValueError(
                    f"metrics: expected one owner of {key}, got {owners[key]}, {whose}"
                )
            owners[key] = whose


def _path(metric: Metric) -> str:
    return f"{type(metric).__module__}.{type(metric).__name__}"


class Dimensions:
    """Labels of dimensions, and who gave them: a join of unlike labels would fill up with NaN."""

    def __init__(self, given: xr.Dataset | None = None) -> None:
        """Those of ``given`` are taken."""
        self._owners: dict[str, tuple[str, NDArray[Any]]] = {}
        if given is not None:
            self.claim("what was computed", given.data_vars)

    def claim(self, whose: str, arrays: Mapping[Any, xr.DataArray]) -> None:
        """Take the dimensions of all arrays.

        Raises
        ------
        ValueError
            A dimension that another has taken with other labels.
        """
        for name, array in arrays.items():
            for dim in map(str, array.dims):
                labels = array[dim].values
                owner, taken = self._owners.setdefault(dim, (whose, labels))
                if not np.array_equal(taken, labels):
                    raise ValueError(
                        f"metrics: expected one owner of dimension {dim}, got {owner} and, with "
                        f"other labels of {name}, {whose}; give it a name of its own"
                    )


METRICS: tuple[Metric, ...] = discover()


def smallest_ensemble() -> int:
    """Members that every metric is content with."""
    return max(metric.smallest_ensemble for metric in METRICS)


def compute(case: Case) -> xr.Dataset:
    """All linear quantities of one simulation, by the metrics that it is for.

    Raises
    ------
    ValueError
        If the ensemble is smaller than a metric accepts, or two metrics label a dimension.
    """
    parts, dimensions = [], Dimensions()
    for metric in METRICS:
        if metric.of_response_sets is (case.response_set is None):
            continue
        if case.n_members < metric.smallest_ensemble:
            raise ValueError(
                f"{metric.name}: expected at least {metric.smallest_ensemble} members, "
                f"got {case.n_members}"
            )
        part = metric.compute(case)
        dimensions.claim(_path(metric), part.data_vars)
        parts.append(part)
    return xr.merge(parts, join="exact", compat="no_conflicts", combine_attrs="override")


def summarise(stats: xr.Dataset, fields: Sequence[Field]) -> xr.Dataset:
    """Summary of all simulations.

    Parameters
    ----------
    stats
        Results of :func:`compute`, concatenated along ``simulation``, with the coordinate
        ``run(simulation)``; those of response sets along ``response``.
    fields
        What the channels are.

    Returns
    -------
    Variables with the dimension ``estimate``; each says its units and meaning in its attrs.

    Raises
    ------
    ValueError
        A metric returns a variable that it does not declare, or labels a dimension of another.
    """
    jackknife, dimensions = Jackknife(stats["run"]), Dimensions(stats)
    found: dict[str, xr.DataArray] = {}
    for metric in METRICS:
        results = metric.summarise(jackknife, stats, fields)
        unknown = set(results) - set(metric.variables)
        if unknown:
            raise ValueError(
                f"{metric.name}: expected variables {metric.variables}, got {sorted(unknown)}"
            )
        dimensions.claim(_path(metric), results)
        found |= results
    return xr.Dataset(found)


def judge(metrics: xr.Dataset, config: "ValidationConfig", fields: Sequence[Field]) -> list[Bar]:
    """Bars of all metrics."""
    return [bar for metric in METRICS for bar in metric.bars(metrics, config, fields)]


def metric_of(variable: str) -> Metric | None:
    """The metric that gives a variable of ``metrics.nc``, if it is registered."""
    return next((metric for metric in METRICS if variable in metric.variables), None)
