"""What variables are called and measured in: attributes after the CF conventions.

Every variable has a ``long_name``, and every one that holds numbers its ``units``: ``1`` where
there are none. Units are the labels of :mod:`emulator.units`: UDUNITS, which CF builds on, would
take "Mpc/h" for megaparsec per hour.

References
----------
NetCDF Climate and Forecast (CF) Metadata Conventions, version 1.11, sections 2.6.1 and 3.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from emulator.domain import domain_of
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr

CONVENTIONS = "CF-1.11"
_MASS, _LENGTH, _NUMBER = Unit.MASS_PER_PIXEL, Unit.LENGTH, Unit.DIMENSIONLESS

SAID: dict[str, tuple[str, str]] = {
    "fields": ("drawn fields", _MASS),
    "mean": ("mean of the drawn members", _MASS),
    "std": ("standard deviation of the drawn members", _MASS),
    "truth": ("fields of the hydrodynamic run", _MASS),
    "truth_redraw": ("fields of the hydrodynamic run, drawn again", _MASS),
    "condition": ("dark-matter-only mass", _MASS),
    "large_scale": ("dark-matter-only mass of the surroundings, block means", _MASS),
    "params": ("physical values of the parameters, each in its own unit", _NUMBER),
    "seed": ("seed of the ensemble", _NUMBER),
    "channel": ("field", _NUMBER),
    "member": ("number of the member", _NUMBER),
    "model_seed": ("training seed of the model that drew the member", _NUMBER),
    "model_member": ("number of the member among those of its model", _NUMBER),
    "setting": ("setting of the solver", _NUMBER),
    "level": ("width of the surroundings over that of the window", _NUMBER),
    "parameter": ("name of the parameter", _NUMBER),
    "value": ("value of the parameter that is varied", _NUMBER),
    "z": ("comoving position along the layers' axis, middle of the voxel", _LENGTH),
    "y": ("comoving position along the rows' axis, middle of the pixel", _LENGTH),
    "x": ("comoving position along the columns' axis, middle of the pixel", _LENGTH),
    "centre": ("central pixel of the window in its map", Unit.PIXEL),
    "projection": ("number of the map that the window is of", _NUMBER),
    "projection_label": ("label of the map that the window is of", _NUMBER),
    "mass": ("mass of the field in the map", Unit.MASS),
    "total_over_dmo": ("mass of all fields over that of the DMO map", _NUMBER),
    "baryons_over_cosmic": ("mass of the baryons over their cosmic share of the DMO map", _NUMBER),
    "sum": ("mass that members hold", _NUMBER),
    "sum_factor": ("factor that the member was scaled by", _NUMBER),
    "slab": ("label of the slab", _NUMBER),
    "k": ("wave number", Unit.WAVE_NUMBER),
    "n_modes": ("Fourier modes in the shell", _NUMBER),
}
"""``long_name`` and ``units`` of what this package returns, by name."""

OF_ARRAYS: dict[str, tuple[str, str]] = {
    "fields": ("drawn fields", _NUMBER),
    "truth": ("fields as they are", _NUMBER),
    "truth_redraw": ("fields as they are, drawn again", _NUMBER),
    "condition": ("first condition", _NUMBER),
    "large_scale": ("further conditions", _NUMBER),
    "level": ("name of the condition", _NUMBER),
    "y": ("position along the rows' axis, middle of the pixel", _NUMBER),
    "x": ("position along the columns' axis, middle of the pixel", _NUMBER),
}
"""What differs where a file says its domain; such files say their units themselves."""


def describe(
    dataset: "xr.Dataset", also: Mapping[str, tuple[str, str]] | None = None
) -> "xr.Dataset":
    """Give variables the attributes that they lack; those that they have stay.

    Parameters
    ----------
    dataset
        Just made: its attributes are changed in place.
    also
        Further ``long_name`` and ``units`` by name.

    Returns
    -------
    The same Dataset, which says the ``Conventions``.
    """
    of_arrays = {} if domain_of(dataset.attrs, "dataset").is_matter else OF_ARRAYS
    known = SAID | of_arrays | dict(also or {})
    for name, variable in dataset.variables.items():
        long_name, unit = known.get(str(name), (str(name).replace("_", " "), _NUMBER))
        variable.attrs.setdefault("long_name", long_name)
        if variable.dtype.kind in "biuf":  # names are not measured
            variable.attrs.setdefault("units", str(unit))
    dataset.attrs.setdefault("Conventions", CONVENTIONS)
    return dataset
