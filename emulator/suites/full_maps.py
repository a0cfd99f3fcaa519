"""Maps of one simulation before they are written, and their file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emulator.domain import MATTER, Domain, pixel_of
from emulator.fields import Field, dump_fields, shared_unit
from emulator.io import checked_values, write_dataset
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr

    from emulator.readers.catalogs import Halos

_CHUNKS, _UNITS = {2: 128, 3: 32}, "of each species: see unit"


@dataclass(frozen=True)
class FullMaps:
    """Maps of one simulation, before they are written.

    Attributes
    ----------
    values
        ``(projection, species, y, x)``, of volumes ``(..., z, y, x)``; float32 in the units of the
        fields; the DMO field first, or the conditions of the domain.
    fields
        Rows of the fields behind it, in order.
    projections
        A label each.
    context
        Factor -> ``(projection, y, x)`` block means of the DMO map [Msun/h per fine pixel].
    halos
        Of the DMO catalogue; possibly none.
    attrs
        ``box_size_mpch, pixel_mpch, depth_mpch, redshift, hubble_h, omega_m, omega_b, periodic``,
        ``params, param_ranges`` (JSON), masses by species, and what else is known.
    sources
        The files, relative to the suite's root where they lie below it.
    halo_projection
        Of ready windows: number of the projection that each halo is the middle of.
    domain
        What the maps are of; arrays have ``pixel`` in ``attrs``, and nothing that only matter has.
    """

    values: NDArray[np.float32]
    fields: tuple[Field, ...]
    projections: tuple[str, ...]
    context: Mapping[int, NDArray[np.float32]]
    halos: "Halos"
    attrs: Mapping[str, Any]
    sources: tuple[str, ...]
    halo_projection: NDArray[np.int64] | None = None
    domain: Domain = MATTER

    @property
    def species(self) -> tuple[Field, ...]:
        """Rows of the fields along the second axis: conditions, then what is drawn."""
        return (*self.domain.conditions, *self.fields)


def below(root: str | Path, path: Path) -> str:
    """``path`` relative to ``root`` if it lies below it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def write_maps(maps: FullMaps, attrs: Mapping[str, Any], output: str | Path) -> None:
    """Write a maps file, atomically; ``attrs`` are all of its attributes."""
    import xarray as xr

    species = maps.species
    mass = {"units": str(Unit.MASS_PER_PIXEL)}
    length = {"units": maps.domain.length}
    axes, sides = maps.domain.axes, maps.values.shape[2:]
    centres = {
        axis: (axis, (np.arange(side) + 0.5) * pixel_of(attrs), length)
        for axis, side in zip(axes, sides, strict=True)
    }
    label = {"units": str(Unit.DIMENSIONLESS)}
    of_halos = {} if maps.halo_projection is None else {"halo_projection": maps.halo_projection}
    halos = {
        "halo_position": (("halo", "axis"), maps.halos.position_mpch, length),
        "halo_m200c": ("halo", maps.halos.m200c_msunh, {"units": str(Unit.MASS)}),
        "halo_r200c": ("halo", maps.halos.r200c_mpch, length),
        **{name: ("halo", values, label) for name, values in of_halos.items()},
    }
    is_matter = maps.domain.is_matter
    dataset = xr.Dataset(
        {
            "maps": (
                ("projection", "species", *axes),
                _checked(maps, str(output)),
                {"units": shared_unit(species, _UNITS), "long_name": "projected fields"},
            ),
            **(halos if is_matter else {}),
            **{
                f"context_{f}": (
                    ("projection", *(f"{axis}_{f}" for axis in axes)),
                    values,
                    {**mass, "long_name": f"DMO mass, mean over {block_name(f, axes)} pixels"},
                )
                for f, values in maps.context.items()
            },
        },
        coords={
            "projection": ("projection", list(maps.projections), label),
            "species": ("species", [field.name for field in species], label),
            "unit": ("species", [field.unit for field in species], label),
            **centres,
        },
        attrs=dict(attrs)
        | maps.domain.attributes()
        | {"fields": dump_fields(maps.fields if is_matter else species)},
    )
    write_dataset(dataset, output, encoding=_encoding(dataset, len(axes)))


def block_name(factor: int, axes: Sequence[str]) -> str:
    """A block of pixels in words: ``2 x 2``."""
    return " x ".join([str(factor)] * len(axes))


def _checked(maps: FullMaps, output: str) -> NDArray[np.float32]:
    """Values: finite, and of zero or more where their field is not signed."""
    for index, field in enumerate(maps.species):
        checked_values(maps.values[:, index], f"{output}:maps ({field.name})", signed=field.signed)
    return maps.values


def _encoding(dataset: "xr.Dataset", dimensions: int) -> dict[str, dict[str, Any]]:
    """Chunks of one window and one species, so that a lazy cutout reads little; no fill values."""
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "f":
            encoding[str(name)] = {"_FillValue": None}
        if name == "maps" or str(name).startswith("context_"):
            lead = (1,) * (variable.ndim - dimensions)
            sides = (min(_CHUNKS[dimensions], size) for size in variable.shape[-dimensions:])
            encoding[str(name)]["chunksizes"] = (*lead, *sides)
    return encoding
