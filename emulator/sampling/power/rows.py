"""Fields of a file, row by row: members of a box, windows of an ensemble, maps of a simulation."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.domain import domain_of
from emulator.fields import CONDITION, Field, load_fields
from emulator.io import DataError, EmulatorError, open_store, verify_own
from emulator.units import CRITICAL_DENSITY

if TYPE_CHECKING:
    import xarray as xr

_KINDS = "members of a box, an ensemble or maps (.nc, .zarr, .h5, or a folder of member_*.nc)"
MAPS, BOX, WINDOWS = "maps", "members of a box", "members of windows"
"""Kinds of rows."""


@dataclass(frozen=True)
class Rows:
    """Fields with their condition, read one row at a time.

    Attributes
    ----------
    files
        One or several, all alike.
    kind
        What their rows are.
    fields
        Of the channels, in their order.
    pixel_mpch
        Side of a pixel [Mpc/h].
    periodic
        Whether opposite edges of a map touch.
    mean_dmo
        Mean of the DMO map of the whole box [Msun/h per pixel].
    """

    files: tuple[Path, ...]
    kind: str
    fields: tuple[Field, ...]
    pixel_mpch: float
    periodic: bool
    mean_dmo: float

    def __iter__(self) -> "Iterator[tuple[int, xr.DataArray, xr.DataArray]]":
        """Number of the group, fields ``(channel, y, x)``, condition ``(y, x)``.

        A group is what one condition stands for: a window, a map, or the box.
        """
        read = self._maps if self.kind == MAPS else self._members
        for file in self.files:
            with _open(file) as part:
                yield from read(part)

    def _maps(self, part: "xr.Dataset") -> "Iterator[tuple[int, xr.DataArray, xr.DataArray]]":
        names = [field.name for field in self.fields]
        for number in range(part.sizes["projection"]):
            maps = part["maps"].isel(projection=number).rename(species="channel").load()
            yield number, maps.sel(channel=names), maps.sel(channel=CONDITION.name)

    def _members(self, part: "xr.Dataset") -> "Iterator[tuple[int, xr.DataArray, xr.DataArray]]":
        for number in range(part.sizes.get("sample", 1)):
            own = part.isel(sample=number) if self.kind == WINDOWS else part
            condition = own["condition"].load()
            for row in range(part.sizes["member"]):
                yield number, own["fields"].isel(member=row).load(), condition


def open_rows(path: Path) -> Rows:
    """Look into what was painted, sampled or projected.

    Parameters
    ----------
    path
        A folder of ``member_NNNNN.nc``, or one of them; a painted box ``.nc`` or ``.zarr``; an
        ensemble; a maps file ``.h5``.

    Raises
    ------
    DataError
        A file that is missing, damaged or of another kind, or one whose windows do not say what
        the mean density of their box is.
    """
    a_folder = path.is_dir() and path.suffix != ".zarr"
    files = sorted(path.glob("member_*.nc")) if a_folder else [path]
    if not files:
        raise DataError(path, _KINDS, "a folder without any")
    with _open(files[0]) as first:
        kind, attrs = _kind(first, path), first.attrs
        labels = first["species" if kind == MAPS else "channel"].values.tolist()
        if kind == MAPS:
            if CONDITION.name not in labels:
                place = f"{path}:species"
                raise DataError(place, repr(CONDITION.name), f"only {', '.join(labels)}")
            labels.remove(CONDITION.name)
        if "pixel_mpch" not in attrs:
            raise DataError(f"{path}:pixel_mpch", "the side of a pixel [Mpc/h]", "no attribute")
        return Rows(
            files=tuple(files),
            kind=kind,
            fields=load_fields(attrs, labels, path),
            pixel_mpch=float(attrs["pixel_mpch"]),
            periodic=kind != WINDOWS and bool(np.all(attrs.get("periodic", 1))),
            mean_dmo=_mean_dmo(first, kind, path),
        )


def _kind(dataset: "xr.Dataset", path: Path) -> str:
    """What the rows of a file are, by its variables and their dimensions."""
    dims = {name: dataset[name].dims for name in ("maps", "fields", "condition") if name in dataset}
    if domain_of(dataset.attrs, path).dimensions != 2:
        raise DataError(
            path, "maps", "volumes", "`emulator validate` measures the P(k) of their windows."
        )
    if dims.get("maps") == ("projection", "species", "y", "x"):
        return MAPS
    members = ("member", "channel", "y", "x")
    for kind, lead in ((BOX, ()), (WINDOWS, ("sample",))):
        if dims.get("fields") == (*lead, *members) and dims.get("condition") == (*lead, "y", "x"):
            return kind
    raise DataError(path, _KINDS, ", ".join(map(str, dataset.data_vars)) or "no variables")


def _open(path: Path) -> "xr.Dataset":
    import xarray as xr

    if path.suffix == ".zarr":
        return open_store(path)
    if path.suffix not in (".nc", ".h5"):
        raise DataError(path, _KINDS, path.suffix or "no suffix")
    if not path.is_file():
        raise DataError(path, _KINDS, "no such file")
    try:
        found = xr.open_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        got = f"{type(error).__name__}: {error}"
        raise DataError(path, "a readable netCDF file", got) from error
    verify_own(path, found.attrs)
    return found


def _mean_dmo(dataset: "xr.Dataset", kind: str, path: Path) -> float:
    """Of the box itself; that of windows is the universe's, as their own is no box's."""
    if kind == BOX:
        return float(dataset["condition"].mean(dtype=np.float64))
    attrs = dataset.attrs
    if kind == MAPS and np.all(attrs.get("periodic", 1)):
        condition = dataset["maps"].sel(species=CONDITION.name)
        return float(np.mean([each.mean(dtype=np.float64) for each in condition]))
    omega_m = attrs.get("omega_m", _said(dataset).get("Omega_m"))
    if omega_m is None or "depth_mpch" not in attrs:
        raise DataError(
            path, "windows that say the mean density of their box, by omega_m and depth_mpch",
            "none of it",
        )  # fmt: skip
    return float(CRITICAL_DENSITY * omega_m * attrs["pixel_mpch"] ** 2 * attrs["depth_mpch"])


def _said(dataset: "xr.Dataset") -> dict[str, Any]:
    """Parameters that all windows share."""
    if "params" in dataset.attrs:
        found: dict[str, Any] = json.loads(dataset.attrs["params"])
        return found
    if "params" not in dataset or "parameter" not in dataset["params"].dims:
        return {}
    rows = np.atleast_2d(dataset["params"].values)
    if (rows != rows[:1]).any():
        raise EmulatorError("power: expected windows of one set of parameters, got several")
    names = [str(name) for name in dataset["parameter"].values]
    return dict(zip(names, rows[0].tolist(), strict=True))
