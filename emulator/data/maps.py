"""Maps: the mass maps of one simulation, and everything a cutout needs beside them.

``maps/{simulation}.h5`` is netCDF4 (opens with ``xarray.open_dataset(path, engine="h5netcdf")``):
``maps(projection, species, y, x)`` in the units of the fields, block means of the DMO map
``context_{f}(projection, y_{f}, x_{f})``, the halos of the DMO catalogue, and attributes. Volumes
are ``maps(projection, species, z, y, x)`` with one projection, ``box``; their domain says so.

There is at least one projection. Those of snapshots are ``x, y, z`` (``x0, x1, ...`` with slabs):
the axis that is summed; y and x are the two other axes in increasing order. Ready maps and ready
windows have labels of their own, and nothing says which axis they sum over. Pixel ``i`` covers
``[i, i+1) * pixel_mpch``.

Attribute ``periodic`` is 1 (or missing) for whole boxes. It is 0 for ready windows: each projection
is then one window, used whole, and ``context_{f}`` holds that window's surroundings, ``f`` times as
wide, at the window's own number of pixels.

Maps of arrays carry their domain (:mod:`emulator.domain`): they have conditions of their own in
place of ``dmo``, which come first, a ``pixel`` in a unit of its own, and neither halos nor context.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emulator.data.lazy import LazyField, close
from emulator.domain import Domain, domain_of, matter_of, pixel_of, space_of
from emulator.fields import CONDITION, Field, load_fields
from emulator.io import (
    DataError,
    checked_values,
    h5py_errors,
    is_file,
    open_hdf5,
    require_attribute,
    verify,
)
from emulator.projection.pyramid import context_pyramid

if TYPE_CHECKING:
    import h5py

_REMAKE = "Remove it and run the workflow (or the stage `project`) again: it is made anew."
_ALONE = "Maps of dark matter alone are painted (`emulator paint`); nothing is learned from them."
_HALO_FIELDS = ("halo_position", "halo_m200c", "halo_r200c")
_NO_HALOS = dict(zip(_HALO_FIELDS, (np.empty((0, 3)), np.empty(0), np.empty(0)), strict=True))
_NUMBERS = (
    "box_size_mpch",
    "pixel_mpch",
    "depth_mpch",
    "redshift",
    "hubble_h",
    "omega_m",
    "omega_b",
)
_TEXTS = ("suite", "set", "simulation", "run", "params", "param_ranges")


@dataclass(frozen=True)
class Maps:
    """Maps of one simulation, in memory or (``lazy``) on disk; either can be sent to a process.

    Attributes
    ----------
    path
        The file.
    maps
        ``(projection, species, y, x)``, of volumes ``(..., z, y, x)``; float32 in the units of the
        fields; ``dmo`` [Msun/h per pixel] is the first.
    context
        Factor -> ``(projection, y, x)`` block means of the DMO map [Msun/h per fine pixel].
    projections
        A label each.
    species
        Names along the second axis of ``maps``.
    halo_position, halo_m200c, halo_r200c
        ``(halo, 3)`` [Mpc/h], ``(halo,)`` [Msun/h], ``(halo,)`` [Mpc/h].
    params, param_ranges
        Physical values by name; ``{min, max, fiducial, log}`` by name.
    attrs
        All attributes of the file.
    halo_projection
        ``(halo,)`` projection whose middle a halo is; of ready windows only, of which some have no
        halo.
    """

    path: Path
    maps: NDArray[np.float32] | LazyField
    context: Mapping[int, NDArray[np.float32] | LazyField]
    projections: tuple[str, ...]
    species: tuple[str, ...]
    halo_position: NDArray[np.float64]
    halo_m200c: NDArray[np.float64]
    halo_r200c: NDArray[np.float64]
    params: Mapping[str, float]
    param_ranges: Mapping[str, Mapping[str, Any]]
    attrs: Mapping[str, Any]
    halo_projection: NDArray[np.int64] | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """Rows of the fields along ``species``."""
        return load_fields(self.attrs, self.species, self.path)

    @cached_property
    def domain(self) -> Domain:
        """What the maps are of."""
        return domain_of(self.attrs, self.path)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the fields that are given."""
        return tuple(field.name for field in self.domain.conditions)

    @property
    def n_pixels(self) -> int:
        """Pixels a side."""
        return int(self.maps.shape[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along the axes of space: of y and x, or of z, y and x."""
        return tuple(self.maps.shape[2:])

    @property
    def dimensions(self) -> int:
        """Of space: 2, or 3 of volumes."""
        return len(self.maps.shape) - 2

    @property
    def n_projections(self) -> int:
        """Maps of each species: axes, slabs, or windows."""
        return int(self.maps.shape[0])

    @property
    def periodic(self) -> bool:
        """Whether opposite edges touch; if not, every projection is one window."""
        return bool(self.attrs.get("periodic", 1))

    @property
    def pixel_mpch(self) -> float:
        """Side of a pixel [Mpc/h], or in the unit of length of the domain."""
        return pixel_of(self.attrs)

    def select(self, species: Sequence[str]) -> NDArray[np.float32]:
        """Maps ``(projection, species, y, x)`` of the named species, in that order, in memory."""
        indices = [self.species_index(name) for name in species]
        return np.stack([self.maps[:, index] for index in indices], axis=1)

    def species_index(self, name: str) -> int:
        """Position of a species; an unknown one is a DataError that lists those there are."""
        if name not in self.species:
            raise DataError(
                f"{self.path}:species",
                repr(name),
                f"only {', '.join(self.species)}",
                _ALONE if self.species == (CONDITION.name,) else "",
            )
        return self.species.index(name)

    @classmethod
    def from_dmo(
        cls, dmo: NDArray[Any], context_factors: Sequence[int], dimensions: int = 2
    ) -> "Maps":
        """Maps of one DMO field: a periodic map ``(y, x)`` or volume [Msun/h per pixel].

        What :func:`~emulator.data.cutouts.extract` needs to cut a user's map.
        """
        field = checked_values(np.asarray(dmo, np.float32), "map")
        uneven = [f for f in context_factors if any(side % f for side in field.shape)]
        if field.ndim != dimensions or uneven:
            sides = ", ".join(space_of(dimensions))
            raise DataError(
                "map", f"({sides}) of multiples of {list(context_factors)} pixels", f"{field.shape}"
            )
        return cls(
            path=Path("map"),
            maps=field[None, None],
            context=context_pyramid(field[None], context_factors),
            projections=("0",),
            species=("dmo",),
            halo_position=np.empty((0, 3)),
            halo_m200c=np.empty(0),
            halo_r200c=np.empty(0),
            params={},
            param_ranges={},
            attrs=matter_of(field.ndim).attributes(),
        )

    def close(self) -> None:
        """Close the file of lazy maps until they are read again; nothing to do for others."""
        close(self.path)


def read_maps(path: str | Path, *, lazy: bool = False, verified: bool = True) -> Maps:
    """Read a maps file.

    Parameters
    ----------
    path
        ``maps/{simulation}.h5``.
    lazy
        Keep the fields on disk; their values are then not checked.
    verified
        Verify the checksum, for which all of the file is read; a look at its labels need not.

    Returns
    -------
    Maps

    Raises
    ------
    DataError
        A missing or damaged file (its checksum is verified, of lazy maps as well), one without a
        checksum, a missing variable or attribute, shapes that do not agree, or values that are
        negative or not finite.
    """
    path = Path(path)
    if verified and is_file(path):
        verify(path, hint=_REMAKE)
    with open_hdf5(path, hint=_REMAKE) as handle:
        return _load(handle, path, lazy=lazy)


def _load(handle: "h5py.File", path: Path, *, lazy: bool) -> Maps:
    attrs = {key: _plain(value) for key, value in handle.attrs.items()}
    domain = domain_of(attrs, path)
    is_matter, space = domain.is_matter, domain.axes
    halo_fields = _HALO_FIELDS if is_matter else ()
    for name in (*(_NUMBERS if is_matter else ("pixel",)), *_TEXTS):
        require_attribute(attrs, name, str(path))
    names = ("maps", "projection", "species", *halo_fields)
    missing = [name for name in names if name not in handle]
    if missing:
        raise DataError(
            path,
            f"variables {', '.join(names)}",
            f"none called {', '.join(missing)}",
            _REMAKE,
        )
    labels = {
        name: tuple(v.decode() for v in handle[name][:]) for name in ("projection", "species")
    }
    shape = handle["maps"].shape
    lead = tuple(len(values) for values in labels.values())
    uneven = is_matter and len(set(shape[2:])) > 1
    if len(shape) != 2 + len(space) or shape[:2] != lead or lead[0] < 1 or uneven:
        sides = ", ".join("n" if is_matter else axis for axis in space)
        expected = f"shape ({lead[0] or 1}, {lead[1]}, {sides})"
        raise DataError(f"{path}:maps", expected, f"{shape}")
    fields = load_fields(attrs, labels["species"], path)
    read = _lazy_field if lazy else _field
    return Maps(
        path=path,
        maps=(_lazy_field(handle["maps"], path) if lazy else _maps(handle["maps"], path, fields)),
        context={
            factor: read(dataset, path)
            for factor, dataset in _context(handle, path, bool(attrs.get("periodic", 1))).items()
        },
        projections=labels["projection"],
        species=labels["species"],
        **(_NO_HALOS | {name: _field(handle[name], path) for name in halo_fields}),
        params=_json_attr(attrs, "params", path),
        param_ranges=_json_attr(attrs, "param_ranges", path),
        attrs=attrs,
        halo_projection=handle["halo_projection"][:] if "halo_projection" in handle else None,
    )


def _context(handle: "h5py.File", path: Path, periodic: bool) -> "dict[int, h5py.Dataset]":
    """Datasets of the context by increasing factor, their shapes checked."""
    n_projections, _, *sides = handle["maps"].shape
    found = {}
    for name in handle:
        if name.startswith("context_"):
            factor = int(name.removeprefix("context_"))
            expected = (n_projections, *(n // factor if periodic else n for n in sides))
            if handle[name].shape != expected:
                raise DataError(f"{path}:{name}", f"shape {expected}", f"{handle[name].shape}")
            found[factor] = handle[name]
    return dict(sorted(found.items()))


def _json_attr(attrs: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(attrs[name])
        return found
    except ValueError as error:
        raise DataError(f"{path}:{name}", "JSON", f"a syntax error ({error})") from error


def _field(dataset: "h5py.Dataset", path: Path) -> NDArray[Any]:
    where = f"{path}:{dataset.name.lstrip('/')}"
    with h5py_errors(where, hint=_REMAKE):
        values = dataset[:]
    return checked_values(values, where)


def _maps(dataset: "h5py.Dataset", path: Path, fields: Sequence[Field]) -> NDArray[Any]:
    where = f"{path}:maps"
    with h5py_errors(where, hint=_REMAKE):
        values: NDArray[Any] = dataset[:]
    for index, field in enumerate(fields):
        checked_values(values[:, index], where, signed=field.signed)
    return values


def _lazy_field(dataset: "h5py.Dataset", path: Path) -> LazyField:
    return LazyField(path, dataset.name, dataset.shape)


def _plain(value: Any) -> Any:
    """Scalars as Python values: netCDF writes them as arrays of one element."""
    return value.item() if isinstance(value, np.generic | np.ndarray) and value.size == 1 else value
