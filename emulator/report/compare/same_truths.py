"""Whether models were judged by the same truths and bars: else their numbers do not compare.

Truths are not stored in ``metrics.nc``, but their statistics are: spectra of the DMO map and of the
truth of every simulation say which windows and which hydro run they are of, and the score of the
re-drawn truths says which re-draws.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from emulator.fields import load_fields
from emulator.io import DataError

RTOL = 1.0e-6
"""Sums of the same pixels on another machine differ by less."""

DEFINITION = {"unit", "run", "particles", "mean_of", "sum_of", "signed"}
"""What a field is, by keys of its row."""

GEOMETRY = ("pixel_mpch", "box_size_mpch", "depth_mpch", "redshift", "pixel")

TRUTHS = {
    "power_dmo": "windows, by the spectra of their DMO maps",
    "power_condition": "windows, by the spectra of their conditions",
    "power_truth": "truths, by their spectra",
    "mass_truth": "truths, by their masses",
    "score_oracle": "re-drawn truths, by their score",
    "response_moments_dmo": "windows of the response set, by their DMO maps",
    "response_moments_truth": "truths of the response set, by their moments",
}
"""Statistics that no model enters, and what they tell apart."""

AGAIN = "Run the stage `validate` of both with the same maps, splits and section validation."


def align(metrics: xr.Dataset, reference: xr.Dataset, folder: Path, first: Path) -> xr.Dataset:
    """Metrics with simulations, channels and fields in the order of the reference.

    Raises
    ------
    DataError
        Other held-out simulations or runs, fields, windows, bars, truths or re-drawn truths; or
        metrics of a version that lacks what is compared. One message: what, where, both sides.
    """
    where, named = folder / "metrics.nc", f"as {first} has"
    for name in ("score", "score_power"):
        if name not in metrics:
            raise DataError(f"{where}:{name}", "scores of single simulations", "none", AGAIN)
    _require_same_simulations(metrics, reference, where, named)
    for name in TRUTHS:
        expected, got = (name in each for each in (reference, metrics))
        if expected != got:
            there = {True: "this variable", False: "no such variable"}
            raise DataError(f"{where}:{name}", f"{there[expected]}, {named}", there[got], AGAIN)
    _require_same_fields(metrics, reference, where, named)
    _require_same_windows(metrics, reference, where, named)
    _require_same_bars(metrics, reference, where, named)
    order = {
        name: reference[name].values
        for name in ("simulation", "response", "channel", "field", "parameter")
        if name in reference.sizes
    }
    found = metrics.sel(order)
    for name, what in TRUTHS.items():
        if name in reference:
            _require_same_values(found[name], reference[name], f"{where}:{name}", what, named)
    return found


def _require_same_simulations(
    metrics: xr.Dataset, reference: xr.Dataset, where: Path, named: str
) -> None:
    kinds = {
        "simulation": "held-out simulations",
        "response": "simulations of a response set",
        "parameter": "parameters",
    }
    for name, what in kinds.items():
        expected, got = (_names(each, name) for each in (reference, metrics))
        if set(expected) != set(got):
            raise DataError(
                f"{where}:{name}", f"the same {what} {named}", _difference(expected, got), AGAIN
            )
    runs = [
        dict(zip(each["simulation"].values, each["run"].values.astype(str), strict=True))
        for each in (reference, metrics)
    ]
    moved = [str(name) for name in runs[0] if runs[0][name] != runs[1][name]]
    if moved:
        raise DataError(
            f"{where}:run", f"the same runs {named}", f"others of {_listed(moved)}",
            "Which simulations share phases must not differ: see suite.phases.",
        )  # fmt: skip


def _require_same_fields(
    metrics: xr.Dataset, reference: xr.Dataset, where: Path, named: str
) -> None:
    expected, got = (_names(each, "channel") for each in (reference, metrics))
    if set(expected) != set(got):
        raise DataError(
            f"{where}:channel", f"the same fields {named}", _difference(expected, got),
            "Only models that draw the same fields compare.",
        )  # fmt: skip
    tables = [
        {
            field.name: field.model_dump(include=DEFINITION)
            for field in load_fields(each.attrs, expected, where)
        }
        for each in (reference, metrics)
    ]
    other = [name for name in expected if tables[0][name] != tables[1][name]]
    if other:
        raise DataError(
            f"{where}:fields", f"fields in the same units and made alike, {named}",
            f"others of {_listed(other)}", "Only models that draw the same fields compare.",
        )  # fmt: skip


def _require_same_windows(
    metrics: xr.Dataset, reference: xr.Dataset, where: Path, named: str
) -> None:
    def shape(each: xr.Dataset) -> dict[str, Any]:
        return {
            "pixels a side": int(each["scale"].values[-1]),
            "windows a simulation": each.sizes["sample"],
            "windows of the response set": each.sizes.get("window", 0),
            **{name: float(each.attrs[name]) for name in GEOMETRY if name in each.attrs},
        }

    _require_equal(shape(metrics), shape(reference), f"{where}:windows", "windows", named)


def _require_same_bars(metrics: xr.Dataset, reference: xr.Dataset, where: Path, named: str) -> None:
    def bars(each: xr.Dataset) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(str(each.attrs.get("config", "{}")))
        config.pop("enforce", None)
        inner = config.pop("bars", {})
        return config | {f"bars.{name}": value for name, value in inner.items()}

    _require_equal(bars(metrics), bars(reference), f"{where}:config", "bars", named)


def _require_equal(
    got: dict[str, Any], expected: dict[str, Any], where: str, what: str, named: str
) -> None:
    """Refuse the first key that differs, with both values."""
    for name in dict.fromkeys([*expected, *got]):
        if got.get(name) != expected.get(name):
            raise DataError(
                where, f"the same {what} {named}: {name} {expected.get(name)}",
                f"{got.get(name)}", AGAIN,
            )  # fmt: skip


def _require_same_values(
    got: xr.DataArray, expected: xr.DataArray, where: str, what: str, named: str
) -> None:
    """Refuse statistics of truths that differ beyond rounding."""
    transposed = got.transpose(*expected.dims)
    if transposed.shape == expected.shape:
        same = np.isclose(transposed.values, expected.values, rtol=RTOL, atol=0.0, equal_nan=True)
        first = expected.dims[0]
        others = expected[first].values[~same.all(axis=tuple(range(1, same.ndim)))].astype(str)
        if not len(others):
            return
        found = f"others of {_listed(others.tolist())}"
    else:
        found = f"others of shape {transposed.shape} instead of {expected.shape}"
    raise DataError(
        where, f"the same {what}, {named}", found,
        "Draw from the same maps, with the same splits, windows and re-drawn truths.",
    )  # fmt: skip


def _names(metrics: xr.Dataset, name: str) -> list[str]:
    return metrics[name].values.astype(str).tolist() if name in metrics.sizes else []


def _difference(expected: list[str], got: list[str]) -> str:
    """What is not there, and what is there beside it."""
    missing = [name for name in expected if name not in got]
    more = [name for name in got if name not in expected]
    parts = [f"no {_listed(missing)}"] if missing else []
    return " but ".join([*parts, *([f"also {_listed(more)}"] if more else [])])


def _listed(names: Iterable[str], most: int = 5) -> str:
    listed = list(names)
    more = f", ... ({len(listed)} in all)" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
