"""Spectra as a table for the terminal, and in full as CSV."""

import csv
import io

import numpy as np
import xarray as xr

N_ROWS = 12
"""Shells that the terminal shows, about evenly in log k."""


def to_text(found: xr.Dataset) -> str:
    """What was measured, and ``P ± error`` of some shells, aligned."""
    names = found["field"].values.tolist()
    shells = _some(found.sizes["k"])
    rows = [["k [h/Mpc]", "modes", *(f"P {name}" for name in names)]]
    for shell in shells:
        here = found.isel(k=shell)
        cells = zip(here["power"].values, here["power_error"].values, strict=True)
        rows.append(
            [f"{float(here['k']):.3g}", f"{int(here['n_modes'])}", *(_cell(*c) for c in cells)]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    facts = [
        f"P in {found['power'].attrs['units']} ± standard error of the mean, over "
        f"{found.attrs['error_over']}",
        f"rows: {found.attrs['rows']}",
        f"edges: {found.attrs['edges']}",
        f"units: {found.attrs['scale']}",
    ]
    left = found.sizes["k"] - len(shells)
    more = [f"{left} more shells with --output"] if left else []
    return "\n".join([*facts, "", *lines, *more])


def to_csv(found: xr.Dataset) -> str:
    """One row a shell: ``k_hmpc``, ``n_modes``, and for each field its power and error.

    Numbers are in full, blank where there is none.
    """
    names = found["field"].values.tolist()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [f"power_{name}{tail}" for name in names for tail in ("", "_error")]
    writer.writerow(["k_hmpc", "n_modes", *columns])
    for shell in range(found.sizes["k"]):
        here = found.isel(k=shell)
        pairs = np.stack([here["power"].values, here["power_error"].values], axis=1).ravel()
        numbers = [float(here["k"]), int(here["n_modes"]), *pairs.tolist()]
        writer.writerow(["" if value != value else repr(value) for value in numbers])
    return text.getvalue()


def _some(n_shells: int) -> list[int]:
    """Places of at most :data:`N_ROWS` shells."""
    wanted = np.geomspace(1, n_shells, min(N_ROWS, n_shells)).round().astype(int) - 1
    return sorted(set(wanted.tolist()))


def _cell(value: float, error: float) -> str:
    return f"{value:.3e}" if np.isnan(error) else f"{value:.3e} ± {error:.0e}"
