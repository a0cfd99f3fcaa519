r"""Ready windows: the ``.npz`` samples of BIND, read as a source of maps and written as an export.

A sample is one window of ``n x n`` pixels, all fields float32:

============ =========== ==================================================================
key          shape       content
============ =========== ==================================================================
condition    (n, n)      DMO mass [Msun/h per pixel]
target       (3, n, n)   dark matter, gas, stars of the hydrodynamic run [Msun/h per pixel]
large_scale  (L, n, n)   DMO mass in wider windows around the same centre, block means to
                         ``n x n`` [Msun/h per fine pixel], one for each context factor
params       (p,)        physical values; the order is not in the file
halo_mass    () or (1,)  M200c of the halo in the centre [Msun/h]; 0 or no key: none is
halo_center  (3,)        its position [Mpc/h]
============ =========== ==================================================================

Windows are not periodic. All windows of a simulation become one maps file: a projection each.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from emulator.config import DataConfig, SamplesSuite
from emulator.fields import SPECIES
from emulator.io import (
    DataError,
    array_errors,
    atomic_path,
    checked_values,
    is_archive,
    open_arrays,
)
from emulator.projection.pyramid import mean_masses
from emulator.readers.catalogs import Halos
from emulator.readers.halo_tables import radius_200c
from emulator.readers.parameter_table import canonical_name
from emulator.readers.parameters import (
    match_ranges,
    parameter_attrs,
    read_ranges,
    require_possible_parameters,
)
from emulator.suites.full_maps import FullMaps, below
from emulator.suites.ready_windows import require_sound_windows

TARGETS = ("dm_hydro", "gas", "stars")
"""Order of ``target``."""

_OF_THE_HALO = {"halo_mass": np.zeros((), np.float32), "halo_center": np.zeros(3, np.float32)}
"""Keys that windows without a halo may leave out."""


class Sample(NamedTuple):
    """Content of one file, by key."""

    condition: NDArray[np.float32]
    target: NDArray[np.float32]
    large_scale: NDArray[np.float32]
    params: NDArray[np.float32]
    halo_mass: NDArray[np.float32]
    halo_center: NDArray[np.float32]


def read_sample(path: str | Path) -> Sample:
    """Read one sample.

    Raises
    ------
    DataError
        A missing or damaged file, a missing key (those of the halo may be), a wrong shape, or a
        value that is not finite or, except for parameters, negative. The message names file and
        key.
    """
    path = Path(path)
    with open_arrays(path) as archive:
        if not is_archive(archive):
            raise DataError(path, "an .npz file", "a single array")
        arrays = {key: _read_key(archive, key, path) for key in Sample._fields}
    # NumPy writes a number as an array without dimensions, others as an array of one
    for key, size in {"halo_mass": 1, "halo_center": 3}.items():
        if arrays[key].size == size:
            arrays[key] = arrays[key].reshape(() if size == 1 else (size,))
    sample = Sample(**arrays)
    _check_shapes(sample, path)
    return sample


def write_sample(path: str | Path, sample: Sample) -> None:
    """Write one sample, atomically; reading it again gives the same bits.

    Raises
    ------
    DataError
        Whatever :func:`read_sample` would refuse.
    """
    path = Path(path)
    for key, values in sample._asdict().items():
        _check_values(values, key, path)
    _check_shapes(sample, path)
    arrays: dict[str, Any] = {k: np.asarray(v, np.float32) for k, v in sample._asdict().items()}
    with atomic_path(path) as partial:
        np.savez(partial, **arrays)


def read_samples(
    suite: SamplesSuite, data_config: DataConfig, root: str | Path, simulation: str
) -> FullMaps:
    """Read all windows of one simulation.

    Parameters
    ----------
    suite
        Pattern of the files, names of the parameters, geometry and cosmology.
    data_config
        ``n_pixels`` of the box that the windows are from, ``window`` and ``context_factors``.
    root
        Folder above the files.
    simulation
        Name.

    Returns
    -------
    FullMaps
        A projection each, not periodic, labelled by the stem of its file and in the order of names.

    Raises
    ------
    DataError
        No samples, a damaged one, shapes that are not those of the config, parameters that differ
        between the windows of the simulation or lie outside their ranges, and what
        :mod:`~emulator.suites.ready_windows` refuses.
    """
    paths = suite.inputs(root, simulation)[:-1]
    if not paths:
        pattern = suite.path("samples", root, simulation)
        raise DataError(pattern, f"samples of simulation {simulation}", "no such file")
    samples = [read_sample(path) for path in paths]
    for path, sample in zip(paths, samples, strict=True):
        _check_config(sample, data_config, path)
    params = _common_params(suite, paths, samples)
    ranges = suite.path("ranges", root, simulation)
    known = match_ranges(params, read_ranges(ranges), ranges)
    require_possible_parameters(params, known, f"{paths[0]}:params")
    named = {canonical_name(name): value for name, value in params.items()}
    universe = {
        "hubble_h": named.get("h", suite.hubble_h),
        "omega_m": named.get("Omega_m", suite.omega_m),
        "omega_b": named.get("Omega_b", suite.omega_b),
    }
    fields = np.stack([np.concatenate([s.condition[None], s.target]) for s in samples])
    large_scale = np.stack([sample.large_scale for sample in samples])
    context = {f: large_scale[:, i] for i, f in enumerate(data_config.context_factors)}
    pixel = suite.box_size_mpch / data_config.n_pixels
    require_sound_windows(
        dict(zip(SPECIES, np.moveaxis(fields, 1, 0), strict=True)),
        context,
        omega_m=universe["omega_m"],
        omega_b=universe["omega_b"],
        pixel_mpch=pixel,
        box_size_mpch=suite.box_size_mpch,
        depth_mpch=suite.depth_mpch,
        where=str(paths[0].parent),
    )
    for path, sample in zip(paths, samples, strict=True):
        require_halo_in_window(sample, suite.box_size_mpch, str(path))
    mass = np.array([sample.halo_mass for sample in samples], np.float64)
    position = np.array([sample.halo_center for sample in samples], np.float64)
    with_halo = mass > 0
    halos = Halos(
        position[with_halo],
        mass[with_halo],
        radius_200c(mass[with_halo], universe["omega_m"], suite.redshift),
    )
    return FullMaps(
        fields=fields,
        projections=tuple(path.stem for path in paths),
        context=context,
        halos=halos,
        attrs={
            "box_size_mpch": suite.box_size_mpch,
            "pixel_mpch": pixel,
            "depth_mpch": suite.depth_mpch,
            "redshift": suite.redshift,
            "periodic": 0,
            **universe,
            **parameter_attrs(params, ranges),
            **mean_masses(fields),
        },
        sources=tuple(below(root, path) for path in paths),
        halo_projection=np.flatnonzero(with_halo),
    )


def require_halo_in_window(sample: Sample, box_size_mpch: float, where: str) -> None:
    """Check the halo of a window, if it has one: lighter than the window, and inside the box.

    Raises
    ------
    DataError
        A mass or a position in another unit.
    """
    mass, window = float(sample.halo_mass), float(sample.condition.sum(dtype=np.float64))
    if mass > window:
        raise DataError(
            f"{where}:halo_mass",
            f"a halo lighter than its window, {window:.4g} Msun/h",
            f"{mass:.4g}",
            "Is it in Msun/h?",
        )
    position = sample.halo_center
    if mass > 0 and not ((position >= 0).all() and (position <= box_size_mpch).all()):
        raise DataError(
            f"{where}:halo_center",
            f"a position in [0, {box_size_mpch:g}] Mpc/h",
            f"{position.tolist()}",
            "Is it in Mpc/h?",
        )


def _read_key(archive: "np.lib.npyio.NpzFile", key: str, path: Path) -> NDArray[np.float32]:
    if key not in archive:
        if key in _OF_THE_HALO:
            return _OF_THE_HALO[key]
        raise DataError(f"{path}:{key}", "an array", f"only {', '.join(archive)}")
    with array_errors(f"{path}:{key}"):
        values: NDArray[np.generic] = archive[key]
    _check_values(values, key, path)
    return values.astype(np.float32, copy=False)


def _check_values(values: NDArray[np.generic], key: str, path: Path) -> None:
    where = f"{path}:{key}"
    if values.dtype.kind not in "fiu":
        raise DataError(where, "numbers", f"{values.dtype}")
    if key != "params":
        checked_values(values, where)
    elif not np.isfinite(values).all():
        raise DataError(where, "finite values", f"{values}")


def _check_shapes(sample: Sample, path: Path) -> None:
    side = sample.condition.shape[-1] if sample.condition.ndim else 0
    levels = len(sample.large_scale) if sample.large_scale.ndim else 0
    expected = {
        "condition": (side, side),
        "target": (len(TARGETS), side, side),
        "large_scale": (levels, side, side),
        "params": (sample.params.size,),
        "halo_mass": (),
        "halo_center": (3,),
    }
    for key, shape in expected.items():
        found = getattr(sample, key).shape
        if found != shape:
            raise DataError(f"{path}:{key}", f"shape {shape}", f"{found}")


def _check_config(sample: Sample, config: DataConfig, path: Path) -> None:
    side, levels = sample.condition.shape[0], len(sample.large_scale)
    if side != config.window:
        raise DataError(
            f"{path}:condition",
            f"{config.window} pixels a side (data.window)",
            f"{side}",
            f"Set data.window: {side}; windows are not resampled.",
        )
    if levels != len(config.context_factors):
        raise DataError(
            f"{path}:large_scale",
            f"one level for each of data.context_factors {list(config.context_factors)}",
            f"{levels}",
        )


def _common_params(
    suite: SamplesSuite, paths: list[Path], samples: list[Sample]
) -> dict[str, float]:
    names = suite.parameter_names
    if not names:
        raise DataError(f"suite {suite.name}", "suite.parameter_names, the order of params", "none")
    first = samples[0].params
    for path, sample in zip(paths, samples, strict=True):
        if len(sample.params) != len(names):
            raise DataError(
                f"{path}:params",
                f"{len(names)} values (suite.parameter_names)",
                f"{len(sample.params)}",
            )
        if not np.array_equal(sample.params, first):
            raise DataError(
                f"{path}:params", f"those of {paths[0]}", "others", "A simulation has one universe."
            )
    return {name: float(value) for name, value in zip(names, first, strict=True)}
