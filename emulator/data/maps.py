"""Maps: periodic full-box mass maps of one simulation, and everything a cutout needs beside them.

``maps/{simulation}.h5`` is netCDF4 (opens with ``xarray.open_dataset(path, engine="h5netcdf")``):
``maps(projection, species, y, x)`` [Msun/h per pixel], block means of the DMO map
``context_{f}(projection, y_{f}, x_{f})``, the halos of the DMO catalogue, and attributes.
Projection ``p`` sums over axis ``p``; y and x are the two other axes in increasing order; pixel
``i`` covers ``[i, i+1) * pixel_mpch``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from emulator.config import DataConfig, EmbeddedSuite, FilesSuite
from emulator.io import DataError, open_hdf5, require_attribute, write_dataset
from emulator.metadata import provenance
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr

    from emulator.data.catalogs import Halos
    from emulator.data.snapshots import Snapshot

SPECIES = ("dmo", "dm_hydro", "gas", "stars")
PROJECTIONS = ("x", "y", "z")

CONVENTIONS = (
    "mass per pixel through the whole box; projection p sums over axis p; y and x are the other "
    "two axes in increasing order; pixel i covers [i, i+1) * pixel_mpch; comoving lengths"
)

_CHUNK = 128
_HALO_FIELDS = ("halo_position", "halo_m200c", "halo_r200c")
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
    """Maps of one simulation, in memory or (``lazy``) as open HDF5 datasets.

    Attributes
    ----------
    path
        The file.
    maps
        ``(projection, species, y, x)`` float32 [Msun/h per pixel].
    context
        Factor -> ``(projection, y, x)`` block means of the DMO map [Msun/h per fine pixel].
    species
        Names along the second axis of ``maps``.
    halo_position, halo_m200c, halo_r200c
        ``(halo, 3)`` [Mpc/h], ``(halo,)`` [Msun/h], ``(halo,)`` [Mpc/h].
    params, param_ranges
        Physical values by name; ``{min, max, fiducial, log}`` by name.
    attrs
        All attributes of the file.
    """

    path: Path
    maps: "NDArray[np.float32] | h5py.Dataset"
    context: "Mapping[int, NDArray[np.float32] | h5py.Dataset]"
    species: tuple[str, ...]
    halo_position: NDArray[np.float64]
    halo_m200c: NDArray[np.float64]
    halo_r200c: NDArray[np.float64]
    params: Mapping[str, float]
    param_ranges: Mapping[str, Mapping[str, Any]]
    attrs: Mapping[str, Any]

    @property
    def n_pixels(self) -> int:
        """Pixels a side."""
        return int(self.maps.shape[-1])

    @property
    def pixel_mpch(self) -> float:
        """Side of a pixel [Mpc/h]."""
        return float(self.attrs["pixel_mpch"])

    def select(self, species: Sequence[str]) -> NDArray[np.float32]:
        """Maps ``(projection, species, y, x)`` of the named species, in that order, in memory."""
        indices = [self.species_index(name) for name in species]
        return np.stack([self.maps[:, index] for index in indices], axis=1)

    def species_index(self, name: str) -> int:
        """Position of a species; an unknown one is a DataError that lists those there are."""
        if name not in self.species:
            raise DataError(f"{self.path}:species", repr(name), f"only {', '.join(self.species)}")
        return self.species.index(name)

    @classmethod
    def from_dmo(cls, dmo: NDArray[Any], context_factors: Sequence[int]) -> "Maps":
        """Maps of one DMO field: projection 0 of a periodic map ``(y, x)`` [Msun/h per pixel].

        What :func:`~emulator.data.cutouts.extract` needs to cut a user's map.
        """
        field = _checked(np.asarray(dmo, np.float32), "map")
        uneven = [factor for factor in context_factors if field.shape[-1] % factor]
        if field.ndim != 2 or field.shape[0] != field.shape[1] or uneven:
            raise DataError(
                "map", f"a square (y, x) of a multiple of {list(context_factors)}", f"{field.shape}"
            )
        return cls(
            path=Path("map"),
            maps=field[None, None],
            context=context_pyramid(field[None], context_factors),
            species=("dmo",),
            halo_position=np.empty((0, 3)),
            halo_m200c=np.empty(0),
            halo_r200c=np.empty(0),
            params={},
            param_ranges={},
            attrs={},
        )

    def close(self) -> None:
        """Close the file of lazily read maps; nothing to do for maps in memory."""
        if isinstance(self.maps, h5py.Dataset):
            self.maps.file.close()


def read_maps(path: str | Path, *, lazy: bool = False) -> Maps:
    """Read a maps file.

    Parameters
    ----------
    path
        ``maps/{simulation}.h5``.
    lazy
        Keep the fields on disk (``Maps.close`` releases the file); their values are then not
        checked, and the result cannot be sent to another process.

    Returns
    -------
    Maps

    Raises
    ------
    DataError
        A missing, truncated or foreign file, a missing variable or attribute, shapes that do not
        agree, or values that are negative or not finite.
    """
    path = Path(path)
    if not lazy:
        with open_hdf5(path) as handle:
            return _load(handle, path, lazy=False)
    with open_hdf5(path) as handle:
        _load(handle, path, lazy=True)
    return _load(h5py.File(path, "r"), path, lazy=True)


def project_simulation(
    suite: EmbeddedSuite | FilesSuite,
    data_config: DataConfig,
    root: str | Path,
    simulation: str,
    output: str | Path,
) -> None:
    """Project one simulation and write its maps file.

    Parameters
    ----------
    suite
        Layout of the files.
    data_config
        Pixels, kernel, block size and context factors.
    root
        Folder above the layout.
    simulation
        Name, e.g. ``"CV_0"``.
    output
        The file to write; it appears only when it is complete.

    Raises
    ------
    DataError
        Anything missing or damaged in the inputs, snapshots that are no twins, parameters that
        contradict the snapshot, or mass that got lost.
    """
    # particle code needs numba, which those who only read maps should not wait for
    from emulator.data.catalogs import read_halos
    from emulator.data.projection import project_pair, require_pair
    from emulator.data.snapshots import open_snapshot

    dmo = open_snapshot(suite.path("dmo_snapshot", root, simulation))
    hydro = open_snapshot(suite.path("hydro_snapshot", root, simulation))
    omega_b = require_pair(dmo, hydro)
    attrs = _identity(suite, simulation)
    attrs |= _parameter_attrs(suite, root, simulation, dmo)
    halos = read_halos(suite.path("dmo_catalogue", root, simulation))
    n_pixels = data_config.n_pixels
    fields = np.empty((3, len(SPECIES), n_pixels, n_pixels), np.float32)
    context = {}
    for species, result in project_pair(
        dmo,
        hydro,
        n_pixels=n_pixels,
        kernel=data_config.deposit,
        block_particles=data_config.block_particles,
    ):
        fields[:, SPECIES.index(species)] = result.maps
        attrs[f"mass_particles_{species}"] = result.mass_particles_msunh
        attrs[f"mass_map_{species}"] = result.mass_map_msunh
        if species == "dmo":
            context = context_pyramid(fields[:, 0], data_config.context_factors)
    attrs |= _box_attrs(dmo, n_pixels, omega_b)
    notice = hydro.notice or dmo.notice
    attrs |= {"notice": notice} if notice else {}
    attrs |= provenance(
        "project",
        simulation=simulation,
        snapshots=[_below(root, s.paths[0]) for s in (dmo, hydro)],
        deposit=data_config.deposit,
        n_pixels=n_pixels,
    )
    _write_maps(fields, context, halos, attrs, output)


def block_mean(maps: NDArray[Any], factor: int) -> NDArray[Any]:
    """Means over ``factor x factor`` pixels of the last two axes, in the input's precision."""
    *lead, rows, cols = maps.shape
    blocks = maps.reshape(*lead, rows // factor, factor, cols // factor, factor)
    return blocks.mean(axis=(-3, -1))


def context_pyramid(
    dmo: NDArray[np.float32], factors: Sequence[int]
) -> dict[int, NDArray[np.float32]]:
    """Block means of DMO maps ``(projection, y, x)`` by factor, accumulated in float64.

    They are made from the float32 maps that the file holds: whoever cuts from the maps alone gets
    the same context, bit for bit.
    """
    return {f: block_mean(dmo.astype(np.float64), f).astype(np.float32) for f in factors}


def _identity(suite: EmbeddedSuite | FilesSuite, simulation: str) -> dict[str, Any]:
    run = [name for name, members in suite.runs().items() if simulation in members]
    if not run:
        raise DataError(f"suite {suite.name}", f"simulation {simulation!r}", "no such simulation")
    return {
        "suite": suite.name,
        "set": simulation.rsplit("_", 1)[0],
        "simulation": simulation,
        "run": run[0],
        "conventions": CONVENTIONS,
    }


def _parameter_attrs(
    suite: EmbeddedSuite | FilesSuite, root: str | Path, simulation: str, dmo: "Snapshot"
) -> dict[str, str]:
    from emulator.data.parameters import canonical_name, match_ranges, read_parameters, read_ranges

    table = suite.path("parameters", root, simulation)
    range_table = suite.path("ranges", root, simulation)
    params = read_parameters(table, simulation)
    ranges = match_ranges(params, read_ranges(range_table), range_table)
    for name, value in params.items():
        # one shifted row in the table would otherwise mislabel every simulation of a set
        if canonical_name(name) == "Omega_m" and abs(value - dmo.header.omega_m) > 1e-3 * value:
            raise DataError(
                f"{table}:{simulation}:{name}",
                f"Omega0 of {dmo.paths[0]}, {dmo.header.omega_m:.6g}",
                f"{value:.6g}",
            )
    return {
        "params": json.dumps(params),
        "param_ranges": json.dumps({name: asdict(entry) for name, entry in ranges.items()}),
    }


def _box_attrs(dmo: "Snapshot", n_pixels: int, omega_b: float) -> dict[str, float]:
    header = dmo.header
    return {
        "box_size_mpch": header.box_size_mpch,
        "pixel_mpch": header.box_size_mpch / n_pixels,
        "depth_mpch": header.box_size_mpch,
        "redshift": header.redshift,
        "hubble_h": header.hubble_h,
        "omega_m": header.omega_m,
        "omega_b": omega_b,
    }


def _below(root: str | Path, path: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _write_maps(
    fields: NDArray[np.float32],
    context: Mapping[int, NDArray[np.float32]],
    halos: "Halos",
    attrs: Mapping[str, Any],
    output: str | Path,
) -> None:
    import xarray as xr

    mass = {"units": str(Unit.MASS_PER_PIXEL)}
    length = {"units": str(Unit.LENGTH)}
    centres = (np.arange(fields.shape[-1]) + 0.5) * attrs["pixel_mpch"]
    label = {"units": str(Unit.DIMENSIONLESS)}
    dataset = xr.Dataset(
        {
            "maps": (
                ("projection", "species", "y", "x"),
                _checked(fields, f"{output}:maps"),
                {**mass, "long_name": "projected mass"},
            ),
            "halo_position": (("halo", "axis"), halos.position_mpch, length),
            "halo_m200c": ("halo", halos.m200c_msunh, {"units": str(Unit.MASS)}),
            "halo_r200c": ("halo", halos.r200c_mpch, length),
            **{
                f"context_{f}": (
                    ("projection", f"y_{f}", f"x_{f}"),
                    values,
                    {**mass, "long_name": f"DMO mass, mean over {f} x {f} pixels"},
                )
                for f, values in context.items()
            },
        },
        coords={
            "projection": ("projection", list(PROJECTIONS), label),
            "species": ("species", list(SPECIES), label),
            "y": ("y", centres, length),
            "x": ("x", centres, length),
        },
        attrs=dict(attrs),
    )
    write_dataset(dataset, output, encoding=_encoding(dataset))


def _encoding(dataset: "xr.Dataset") -> dict[str, dict[str, Any]]:
    """Chunks of one window and one species, so that a lazy cutout reads little; no fill values."""
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "f":
            encoding[str(name)] = {"_FillValue": None}
        if name == "maps" or str(name).startswith("context_"):
            lead = (1,) * (variable.ndim - 2)
            sides = (min(_CHUNK, size) for size in variable.shape[-2:])
            encoding[str(name)]["chunksizes"] = (*lead, *sides)
    return encoding


def _load(handle: "h5py.File", path: Path, *, lazy: bool) -> Maps:
    attrs = {key: _plain(value) for key, value in handle.attrs.items()}
    for name in (*_NUMBERS, *_TEXTS):
        require_attribute(attrs, name, str(path))
    names = ("maps", "species", *_HALO_FIELDS)
    missing = [name for name in names if name not in handle]
    if missing:
        raise DataError(
            path,
            f"variables {', '.join(names)}",
            f"none called {', '.join(missing)}",
            "Run the stage `project` for this simulation again.",
        )
    shape = handle["maps"].shape
    species = tuple(name.decode() for name in handle["species"][:])
    if len(shape) != 4 or shape[:2] != (3, len(species)) or shape[2] != shape[3]:
        raise DataError(f"{path}:maps", f"shape (3, {len(species)}, n, n)", f"{shape}")
    context = {}
    for name in handle:
        if name.startswith("context_"):
            factor = int(name.removeprefix("context_"))
            expected = (3, shape[2] // factor, shape[3] // factor)
            if handle[name].shape != expected:
                raise DataError(f"{path}:{name}", f"shape {expected}", f"{handle[name].shape}")
            context[factor] = handle[name] if lazy else _field(handle[name], path)
    return Maps(
        path=path,
        maps=handle["maps"] if lazy else _field(handle["maps"], path),
        context=dict(sorted(context.items())),
        species=species,
        **{name: _field(handle[name], path) for name in _HALO_FIELDS},
        params=_json_attr(attrs, "params", path),
        param_ranges=_json_attr(attrs, "param_ranges", path),
        attrs=attrs,
    )


def _json_attr(attrs: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    try:
        return json.loads(attrs[name])
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{name}", "JSON", f"a syntax error ({error})") from error


def _field(dataset: "h5py.Dataset", path: Path) -> NDArray[Any]:
    where = f"{path}:{dataset.name.lstrip('/')}"
    try:
        values = dataset[:]
    except OSError as error:
        raise DataError(where, "readable data", f"damaged data ({error})") from error
    return _checked(values, where)


def _checked(values: NDArray[Any], where: str) -> NDArray[Any]:
    """``values`` themselves if all are finite and none is negative (NaN fails both comparisons)."""
    if values.size and not (values.min() >= 0 and values.max() < np.inf):
        raise DataError(where, "finite values of zero or more", f"{values.min()} to {values.max()}")
    return values


def _plain(value: Any) -> Any:
    """Scalars as Python values: netCDF writes them as arrays of one element."""
    return value.item() if isinstance(value, np.generic | np.ndarray) and value.size == 1 else value
