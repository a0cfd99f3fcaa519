r"""Power spectra of fields, row by row, and their mean with its standard error.

.. math:: \bar P(k) = \frac1G \sum_g \frac1M \sum_m P_{gm}(k), \qquad
    \sigma^2 = \frac{1}{G(G-1)} \sum_g \big(\bar P_g - \bar P\big)^2

over groups ``g`` (windows, or maps of a simulation) of members ``m``. Of a single box the error is
that of its members, :math:`\sigma^2 = \sum_m (P_m - \bar P)^2 / (M (M - 1))`: how well their mean
is known, and not how much boxes differ. Of a single row there is no error (NaN).

Masses are in units of the mean DMO mass per pixel of the box, as in
:mod:`emulator.metrics.spectra`; other fields in units of their root mean square over all rows.
"""

from pathlib import Path

import numpy as np
import xarray as xr

from emulator.fields import CONDITION
from emulator.io import EmulatorError
from emulator.metrics.channels import add_total, names_with_total
from emulator.metrics.power_spectrum import power_spectrum
from emulator.sampling.cf import describe
from emulator.sampling.power.rows import Rows, open_rows
from emulator.units import Unit

EDGES = {
    True: "periodic maps: the spectrum is that of the box",
    False: "windows, not tapered: the spectrum is that of the field convolved with the window",
}
"""What was done about the edges, by whether maps are periodic."""


def measure_power(path: str | Path) -> xr.Dataset:
    """Power spectra of all fields in a file, of their total, and of the condition.

    Parameters
    ----------
    path
        See :func:`emulator.sampling.power.rows.open_rows`.

    Returns
    -------
    ``power`` and ``power_error (field, k)`` [(Mpc/h)^2] with ``k`` [h/Mpc] and ``n_modes``; the
    attributes ``edges``, ``rows``, ``error_over``, ``scale`` and ``source`` say of what.

    Raises
    ------
    DataError
        See :func:`~emulator.sampling.power.rows.open_rows`.
    EmulatorError
        Maps that are not square.
    """
    rows = open_rows(Path(path))
    names = [*names_with_total(rows.fields), CONDITION.name]
    groups: dict[int, list[np.ndarray]] = {}
    squares, sizes, total = np.zeros(len(rows.fields)), 0, None
    for group, drawn, condition in rows:
        if drawn.sizes["y"] != drawn.sizes["x"]:
            raise EmulatorError(
                f"{path}: expected square maps, got {drawn.sizes['y']} x {drawn.sizes['x']} pixels"
            )
        total = _spectra(drawn, condition, rows)
        groups.setdefault(group, []).append(total.values)
        squares += np.square(drawn.values, dtype=np.float64).mean(axis=(-2, -1))
        sizes += 1
    if total is None:
        raise EmulatorError(f"{path}: expected one row at least, got none")
    scale = np.ones(len(names))
    for number, field in enumerate(rows.fields):
        if not field.adds_up:
            scale[number] = squares[number] / sizes or 1.0
    return _summary(rows, groups, total, scale[:, None], names).assign_attrs(source=str(path))


def _spectra(drawn: xr.DataArray, condition: xr.DataArray, rows: Rows) -> xr.DataArray:
    """``(field, k)``; other fields than masses in the square of their unit."""
    units = [rows.mean_dmo if field.adds_up else 1.0 for field in rows.fields]
    scaled = drawn.astype(np.float64) / xr.DataArray(units, dims="channel")
    own = (condition.astype(np.float64) / rows.mean_dmo).expand_dims(field=[CONDITION.name])
    fields = add_total(scaled.drop_vars(_beside(scaled)), rows.fields)
    both = xr.concat([fields, own.drop_vars(_beside(own))], "field")
    return power_spectrum(both, pixel_mpch=rows.pixel_mpch)


def _beside(values: xr.DataArray) -> list[str]:
    """Coordinates that are no labels of the fields."""
    return [str(name) for name in values.coords if name not in ("channel", "field")]


def _summary(
    rows: Rows,
    groups: dict[int, list[np.ndarray]],
    like: xr.DataArray,
    scale: np.ndarray,
    names: list[str],
) -> xr.Dataset:
    n_rows = sum(map(len, groups.values()))
    single = len(groups) == 1
    each = np.stack(
        next(iter(groups.values())) if single else [np.mean(g, axis=0) for g in groups.values()]
    )
    error = np.full(each.shape[1:], np.nan)
    if len(each) > 1:
        error = each.std(axis=0, ddof=1) / np.sqrt(len(each))
    if single:  # all members have one condition
        error[names.index(CONDITION.name)] = np.nan
    unit, kind = str(Unit.POWER_2D), "members" if single else "windows or maps"
    attrs = {
        "edges": EDGES[rows.periodic],
        "rows": f"{n_rows} ({rows.kind}), of {len(groups)} conditions",
        "error_over": f"{len(each)} {kind}" if len(each) > 1 else "none: one row",
        "scale": f"masses: {rows.mean_dmo:.6e} Msun/h per pixel, the mean DMO mass of the box; "
        "other fields: their root mean square over all rows",
    }
    mean = {"units": unit, "long_name": "power spectrum, mean"}
    found = xr.Dataset(
        {
            "power": (("field", "k"), each.mean(axis=0) / scale, mean),
            "power_error": (
                ("field", "k"), error / scale,
                {"units": unit, "long_name": "standard error of the mean power spectrum"},
            ),
        },
        coords={"field": names, "k": like["k"], "n_modes": like["n_modes"]},
        attrs=attrs,
    )  # fmt: skip
    return describe(found)
