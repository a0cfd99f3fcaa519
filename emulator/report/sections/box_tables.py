"""Numbers of painted boxes: of each, and mean and error over all of them."""

import itertools

import numpy as np
import xarray as xr

from emulator.metrics.jackknife import Jackknife
from emulator.metrics.tolerances import unit_of_k
from emulator.report.figures import style
from emulator.report.page import Table
from emulator.report.text import with_error

BUDGET = {
    "total_over_dmo": "all matter / DMO mass",
    "baryons_over_cosmic": "baryons / cosmic share",
}

MOST_COLUMNS = 4
"""Boxes with a column of their own; of more the mean alone is shown."""

ALL = "all boxes"
OVER = "mean and half the interval of 68 % over boxes (a jackknife; each is of another run)"


def box_tables(audits: xr.Dataset, k_range: tuple[float, float]) -> list[Table]:
    """Masses, power and correlation.

    Parameters
    ----------
    audits
        Of ``audits.nc``, with boxes.
    k_range
        Of the bars: its ends and its middle divide the wave numbers.
    """
    return [_masses(audits), *_by_wave_number(audits, k_range)]


def over_boxes(values: xr.DataArray) -> tuple[float, float]:
    """Mean of numbers ``(box,)`` and half its interval of 68 %, NaN of a single box."""
    runs = Jackknife(values["box"].rename(box="simulation"))
    found = runs.estimate(runs.mean(values.rename(box="simulation")), "mean over boxes").values
    return float(found[0]), float(found[2] - found[0])


def _masses(audits: xr.Dataset) -> Table:
    known, boxes = style.fields_of(audits), audits["box"].values.astype(str).tolist()
    n_members, single = audits.sizes["box_member"], len(boxes) <= MOST_COLUMNS

    def row(label: str, values: xr.DataArray) -> list[str]:
        """Of members ``(box, box_member)``, or of the truth ``(box,)``."""
        if "box_member" in values.dims:
            mean, spread = values.mean("box_member"), values.std("box_member", ddof=1)
            each = [with_error(*pair) for pair in zip(mean.values, spread.values, strict=True)]
        else:
            mean, each = values, [f"{value:.4g}" for value in values.values]
        shown = each if single else []
        return [label, *shown, *([with_error(*over_boxes(mean))] if len(boxes) > 1 else [])]

    rows = [
        row(f"{known[str(name)].label}, members / truth", audits["box_mass_ratio"].sel(field=name))
        for name in audits["field"].values
    ]
    for name, label in BUDGET.items():
        if f"box_{name}_members" in audits:
            rows.append(row(f"{label}, members", audits[f"box_{name}_members"]))
            rows.append(row(f"{label}, truth", audits[f"box_{name}_truth"]))
    said = "Masses of the whole boxes"
    if single:
        said += f"; of single ones mean ± standard deviation over {n_members} members"
    if len(boxes) > 1:
        said += f"; {ALL}: {OVER}"
    header = ["mass", *(boxes if single else []), *([ALL] if len(boxes) > 1 else [])]
    return Table(header, rows, f"{said}. Good: members as the truth. Nothing is rescaled. No bar.")


def _by_wave_number(audits: xr.Dataset, k_range: tuple[float, float]) -> list[Table]:
    """Power and correlation in bands of wave number, if there are boxes to take means over."""
    if audits.sizes["box"] < 2:
        return []
    known, k, unit = style.fields_of(audits), audits["k"].values, unit_of_k(audits)
    low, high = k_range
    edges = [k.min(), low, np.sqrt(low * high), high, np.nextafter(k.max(), np.inf)]
    bands = [
        (f"k = {begin:.2g} to {end:.2g} {unit}", (k >= begin) & (k < end))
        for begin, end in itertools.pairwise(edges)
        if ((k >= begin) & (k < end)).any()
    ]

    def rows(values: xr.DataArray) -> list[list[str]]:
        means = values.mean("box_member")
        return [
            [
                known[str(name)].label,
                *(
                    with_error(*over_boxes(means.sel(field=name).isel(k=inside).mean("k")))
                    for _, inside in bands
                ),
            ]
            for name in audits["field"].values
        ]

    header, each = ["field", *(label for label, _ in bands)], "over members and wave numbers"
    n_boxes = audits.sizes["box"]
    return [
        Table(
            header, rows(audits["box_power_ratio"]),
            f"Power, members / truth, of {n_boxes} boxes: the ratio of each, mean {each}; of these "
            f"{OVER}. Good: 1. No bar.",
        ),
        Table(
            header, rows(1.0 - audits["box_correlation_members"]),
            f"What the correlation with the truth lacks of 1, of {n_boxes} boxes: mean {each}; of "
            f"these {OVER}. Good: near 0 at the longest waves. No bar.",
        ),
    ]  # fmt: skip
