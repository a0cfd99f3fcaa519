"""Where the mass of a painted box is: of each field, and of all matter beside the DMO run's."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emulator.fields import Field, summands
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr

OF_MEMBERS = ("mass", "total_over_dmo", "baryons_over_cosmic")
"""Variables that are sums over the fields of members."""


def add_budget(
    painted: "xr.Dataset", fields: Sequence[Field], baryon_fraction: float
) -> "xr.Dataset":
    """The same Dataset with the masses of its members.

    Parameters
    ----------
    painted
        ``fields (member, ..., channel, y, x)`` and ``condition (..., y, x)``.
    fields
        Rows of the channels.
    baryon_fraction
        Omega_b / Omega_m of the box.

    Returns
    -------
    With ``mass (member, ..., channel)`` [Msun/h], NaN of a field that is a mean; where fields are
    all of the matter also ``total_over_dmo (member, ...)`` and ``baryons_over_cosmic (member,
    ...)``, their sum over the DMO mass, and what is not dark matter over Omega_b / Omega_m of it.
    Attributes ``mass_dmo_msunh`` and ``baryon_fraction``.

    Notes
    -----
    Nothing is corrected. The total of a hydrodynamic run is that of its twin, in a whole box; of
    a patch or slab matter goes in and out.
    """
    mass = painted["fields"].sum(("y", "x"), dtype=np.float64)
    return add_masses(painted, mass, fields, baryon_fraction)


def without_budget(painted: "xr.Dataset") -> "xr.Dataset":
    """The same Dataset without masses of members: its fields are not what they are of."""
    return painted.drop_vars(OF_MEMBERS, errors="ignore")


def add_masses(
    painted: "xr.Dataset", mass: "xr.DataArray", fields: Sequence[Field], baryon_fraction: float
) -> "xr.Dataset":
    """As :func:`add_budget`, of sums ``(member, ..., channel)`` that are known."""
    dmo = painted["condition"].sum(("y", "x"), dtype=np.float64)
    adds_up = np.array([field.adds_up for field in fields])
    mass = mass.where(mass["channel"].copy(data=adds_up))
    parts = {"mass": _said(mass, Unit.MASS)}
    if names := summands(fields):
        shares = {field.name: field.share for field in fields}
        baryons = [name for name in names if shares[name] != "dark_matter"]
        ratios = {
            "total_over_dmo": mass.sel(channel=list(names)).sum("channel") / dmo,
            "baryons_over_cosmic": mass.sel(channel=baryons).sum("channel")
            / (baryon_fraction * dmo),
        }
        parts |= {name: _said(ratio, Unit.DIMENSIONLESS) for name, ratio in ratios.items()}
    return painted.assign(parts).assign_attrs(
        mass_dmo_msunh=float(dmo.sum()), baryon_fraction=baryon_fraction
    )


def _said(values: "xr.DataArray", unit: Unit) -> "xr.DataArray":
    """With its unit alone: what it was computed from says other things."""
    named = values.copy(deep=False)
    named.attrs = {"units": str(unit)}
    return named
