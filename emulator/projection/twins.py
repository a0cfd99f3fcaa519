"""Twins: what must agree between the snapshots, and the catalogue, of one simulation.

Files of another box, another time or other phases project without complaint and would teach the
model noise. Each check here costs nothing beside a projection.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulator.fields import FIELDS
from emulator.io import DataError
from emulator.projection.blocks import mass_of
from emulator.projection.budget import require_cosmic_shares, require_same_matter_content
from emulator.projection.pyramid import block_mean
from emulator.readers.catalogs import Halos
from emulator.readers.parameter_table import canonical_name
from emulator.readers.snapshots import BLACK_HOLES, DARK_MATTER, GAS, Snapshot
from emulator.units import CRITICAL_DENSITY

_AGREEMENT = 1.0e-4
_DENSITY_AGREEMENT = 0.02
_MASS_AGREEMENT = 0.01
_SHARE_AGREEMENT = 0.02
_LEAST_CORRELATION = 0.8
_COARSE_PIXELS = 8
_HALOS = (10, 100)
_LEAST_EXCESS = 3.0


def require_pair(dmo: Snapshot, hydro: Snapshot) -> float:
    """Check that two snapshots are of the same box, time and cosmology; return Omega_b.

    Raises
    ------
    DataError
        If they differ by more than 1e-4 (in 1+z for the redshift), or neither says Omega_b.
    """
    one, other = dmo.header, hydro.header
    facts = {
        "BoxSize": (one.box_size_mpch, other.box_size_mpch),
        "Redshift (1+z)": (1.0 + one.redshift, 1.0 + other.redshift),
        "Omega0": (one.omega_m, other.omega_m),
        "HubbleParam": (one.hubble_h, other.hubble_h),
    }
    # GADGET's dark-matter-only headers leave OmegaBaryon out or write zero
    if one.omega_b and other.omega_b:
        facts["OmegaBaryon"] = (one.omega_b, other.omega_b)
    for name, (expected, got) in facts.items():
        if not abs(got - expected) <= _AGREEMENT * abs(expected):
            raise DataError(
                f"{hydro.paths[0]}:Header/{name.split()[0]}",
                f"{name} = {expected:.8g} as in {dmo.paths[0]}",
                f"{got:.8g}",
                "The two must be twins: same box, phases, cosmology and output time.",
            )
    return _require_cosmology(dmo, hydro)


def require_alone(dmo: Snapshot) -> float:
    """Check a dark-matter-only snapshot that has no twin, without its particles; return Omega_b.

    Raises
    ------
    DataError
        Gas in it, no Omega_b, or another mass than that of the matter in the box.
    """
    if dmo.count(GAS):
        raise DataError(
            f"{dmo.paths[0]}:PartType{GAS}",
            "dark matter alone",
            f"{dmo.count(GAS)} particles of gas as well",
            "A hydrodynamic run is no target: give its dark-matter-only twin, or name both.",
        )
    return _require_cosmology(dmo, dmo)


def _require_cosmology(dmo: Snapshot, last: Snapshot) -> float:
    """Check the mass that the header of the first announces; return Omega_b of the last, or its."""
    omega_b = last.header.omega_b or dmo.header.omega_b
    if not omega_b:
        raise DataError(
            f"{last.paths[0]}:Header",
            "attribute 'OmegaBaryon'",
            "none",
            "Give it in the config: suite.header.omega_b.",
        )
    table = dmo.header.mass_table_msunh
    if len(table) > DARK_MATTER and table[DARK_MATTER] > 0:
        require_mean_density(dmo, dmo.count(DARK_MATTER) * table[DARK_MATTER])
    return omega_b


def require_same_matter(params: Mapping[str, float], dmo: Snapshot, where: str) -> None:
    """Check Omega_m of the parameter table, if it has one, against the header, to 1e-3.

    One shifted row in the table would otherwise mislabel every simulation of a set.

    Raises
    ------
    DataError
        The two differ.
    """
    for name, value in params.items():
        if canonical_name(name) == "Omega_m" and abs(value - dmo.header.omega_m) > 1e-3 * value:
            raise DataError(
                f"{where}:{name}",
                f"Omega0 of {dmo.paths[0]}, {dmo.header.omega_m:.6g}",
                f"Omega_m = {value:.6g}",
            )


def require_same_parameters(params: Mapping[str, float], hydro: Snapshot, where: str) -> None:
    """Check the parameter table against what a snapshot keeps of its own parameters, if it does.

    Raises
    ------
    DataError
        The two differ by more than 1e-4.
    """
    for name, value in (hydro.params or {}).items():
        if name in params and not abs(params[name] - value) <= _AGREEMENT * abs(value):
            raise DataError(
                f"{where}:{name}", f"{value:g} as {hydro.paths[0]} says", f"{params[name]:g}"
            )


def require_mean_density(dmo: Snapshot, mass_msunh: float) -> None:
    r"""Check that the particles fill the box with the mean matter density, to 2 %.

    .. math:: M = \Omega_m\, \rho_c\, L^3

    Raises
    ------
    DataError
        Wrong units of length or mass, a sub-box, or baryons left out of the mass of a particle.
    """
    header = dmo.header
    expected = header.omega_m * CRITICAL_DENSITY * header.box_size_mpch**3
    ratio = mass_msunh / expected
    if not abs(ratio - 1.0) <= _DENSITY_AGREEMENT:
        count = dmo.count(DARK_MATTER)
        raise DataError(
            f"{dmo.paths[0]}:PartType{DARK_MATTER}",
            f"the matter of the box, Omega_m rho_c L^3 = {expected:.4g} Msun/h "
            f"({count} particles {(expected / count):.4g} Msun/h each)",
            f"{mass_msunh:.4g} Msun/h, {ratio:.4g} times as much",
            _density_hint(ratio, header.hubble_h),
        )


def _density_hint(ratio: float, hubble_h: float) -> str:
    """What a wrong density probably means."""
    mistakes = {
        1e9: "BoxSize and Coordinates are probably in Mpc/h, not kpc/h: "
        "set suite.header.length_unit to 'Mpc/h'",
        1e9 * hubble_h**3: "BoxSize and Coordinates are probably in Mpc, not kpc/h: "
        "set suite.header.length_unit to 'Mpc'",
        hubble_h**3: "BoxSize and Coordinates are probably in kpc, not kpc/h: "
        "set suite.header.length_unit to 'kpc'",
        1e10: "masses are probably in Msun/h, not 1e10 Msun/h: "
        "set suite.header.mass_unit to 'Msun/h'",
        1e-10: "masses are probably in 1e10 Msun/h, not Msun/h: "
        "set suite.header.mass_unit to '1e10 Msun/h'",
        hubble_h**-1: "masses are probably in 1e10 Msun, not 1e10 Msun/h: "
        "set suite.header.mass_unit to '1e10 Msun'",
    }
    for factor, text in mistakes.items():
        if abs(ratio / factor - 1.0) < 3 * _DENSITY_AGREEMENT:
            return text
    if ratio < 1.0:
        return (
            "Particles that do not fill BoxSize (a sub-box, an incomplete snapshot), or a hydro run"
            " in place of the dark-matter-only one"
        )
    return "The units of length or mass differ from those of GADGET: see suite.header"


def require_hydro_matter(
    hydro: Snapshot, masses: Mapping[str, float], black_holes: str, baryon_fraction: float
) -> None:
    """Check that a hydrodynamic run holds the matter of its twin, and dark matter its share of it.

    Parameters
    ----------
    hydro
        The snapshot. Black holes that are left out of the maps are read: they are matter, too.
    masses
        ``dmo, dm_hydro, gas, stars`` and perhaps ``black_holes`` [Msun/h].
    black_holes
        ``ignore``, or ``stars`` where these hold them already.
    baryon_fraction
        Omega_b / Omega_m.

    Raises
    ------
    DataError
        A type in another unit of mass, missing particles, or another Omega_b than the run's.
    """
    found = dict(masses)
    dmo = found.pop("dmo")
    if black_holes == "ignore" and "black_holes" not in found:
        found["black_holes"] = mass_of(hydro, BLACK_HOLES)
    where = str(hydro.paths[0])
    require_same_matter_content(found, dmo, where, tolerance=_MASS_AGREEMENT)
    rows = {FIELDS[name]: mass for name, mass in found.items() if name in FIELDS}
    require_cosmic_shares(rows, dmo, baryon_fraction, where, tolerance=_SHARE_AGREEMENT)


def require_same_phases(dmo: NDArray[Any], dm_hydro: NDArray[Any], where: str) -> None:
    """Check that two sets of maps ``(projection, y, x)`` show the same structures, or two volumes.

    Block means on about 8 x 8 pixels of the same phases correlate with more than 0.95; those of
    independent ones scatter about zero.

    Raises
    ------
    DataError
        A correlation coefficient below 0.8.
    """
    dmo, dm_hydro = sums_along_axes(dmo), sums_along_axes(dm_hydro)
    factor = max(1, dmo.shape[-1] // _COARSE_PIXELS)
    side = dmo.shape[-1] // factor * factor
    one, other = (
        block_mean(maps[:, :side, :side], factor).reshape(len(maps), -1) for maps in (dmo, dm_hydro)
    )
    one, other = (maps - maps.mean(axis=1, keepdims=True) for maps in (one, other))
    norm = np.sqrt((one**2).sum() * (other**2).sum())
    correlation = float((one * other).sum() / norm) if norm > 0 else 0.0
    if not correlation >= _LEAST_CORRELATION:
        raise DataError(
            where,
            "the large-scale structures of its dark-matter-only twin (correlation above "
            f"{_LEAST_CORRELATION} on {side // factor} x {side // factor} pixels)",
            f"correlation {correlation:.2f}",
            "The two have other initial phases: is one of another simulation?",
        )


def sums_along_axes(maps: NDArray[Any]) -> NDArray[Any]:
    """Maps as they are; of a volume ``(1, z, y, x)`` those along x, y and z, ``(3, row, column)``.

    Rows and columns are the two other axes in increasing order, as of maps.
    """
    if maps.ndim == 3:
        return maps
    x_y_z = maps[0].T
    return np.stack([x_y_z.sum(axis=axis, dtype=np.float64) for axis in range(3)])


def require_halos_on_peaks(halos: Halos, dmo: NDArray[Any], pixel_mpch: float, where: str) -> None:
    """Check that the most massive halos (10 to 100 of them) lie where the DMO map is dense.

    ``dmo`` ``(y, x)`` is the projection along z. Fewer than 10 halos prove nothing.

    Raises
    ------
    DataError
        A mean over the halos' pixels that exceeds that of the map by less than 3 standard errors.
    """
    fewest, most = _HALOS
    if len(halos.m200c_msunh) < fewest or dmo.std() == 0:
        return
    massive = np.argsort(halos.m200c_msunh)[-most:]
    pixels = np.floor(halos.position_mpch[massive, :2] / pixel_mpch).astype(int) % len(dmo)
    found = dmo[pixels[:, 0], pixels[:, 1]]
    excess = (found.mean() - dmo.mean()) / (dmo.std() / np.sqrt(len(massive)))
    if not excess >= _LEAST_EXCESS:
        raise DataError(
            where,
            f"halos where the dark-matter-only map is dense (mean over the {len(massive)} most "
            f"massive at least {_LEAST_EXCESS:g} standard errors above the mean of the map)",
            f"{excess:.1f} standard errors",
            "Is this the catalogue of another simulation, or are its positions in another unit?",
        )
