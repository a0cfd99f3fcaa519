r"""The mass budget: what a hydrodynamic run holds of the matter of its twin.

Gravity neither makes nor loses mass: dark matter, gas, stars and black holes add up to the matter
of the dark-matter-only run, and dark matter is its share :math:`1 - \Omega_b/\Omega_m`. A field in
another unit, a missing file, or fields in another order break one of the two.
"""

from collections.abc import Mapping

from emulator.fields import CONDITION, Field, summands
from emulator.io import DataError


def require_same_matter_content(
    masses: Mapping[str, float], dmo_msunh: float, where: str, *, tolerance: float
) -> None:
    """Check that the fields of a hydrodynamic run add up to the matter of its twin.

    Parameters
    ----------
    masses
        Of all matter by field [Msun/h].
    dmo_msunh
        Of the dark-matter-only twin, in the same volume [Msun/h].
    where
        The file, for the message.
    tolerance
        Largest relative difference: small for a whole box, larger for a part of it, which matter
        leaves and enters.

    Raises
    ------
    DataError
        They do not; the message lists the shares.
    """
    ratio = sum(masses.values()) / dmo_msunh if dmo_msunh > 0 else float("nan")
    if not abs(ratio - 1.0) <= tolerance:
        raise DataError(
            where,
            f"the matter of the dark-matter-only twin, {dmo_msunh:.4g} Msun/h to {tolerance:.0%}",
            f"{ratio:.4g} times that ({_shares(masses, dmo_msunh)})",
            "Particles are missing, or a type has other units of mass.",
        )


def require_cosmic_shares(
    masses: Mapping[Field, float],
    dmo_msunh: float,
    baryon_fraction: float,
    where: str,
    *,
    tolerance: float,
) -> None:
    r"""Check that dark matter is :math:`1 - \Omega_b/\Omega_m` of the matter, and no field is more.

    Parameters
    ----------
    masses
        Of fields that have a share, as far as they are known [Msun/h].
    dmo_msunh, where, tolerance
        As in :func:`require_same_matter_content`.
    baryon_fraction
        Omega_b / Omega_m of the simulation.

    Raises
    ------
    DataError
        Another share of dark matter, baryons that exceed theirs, or more stars than gas: other
        channels, or other units.
    """
    expected = {"dark_matter": 1.0 - baryon_fraction, "baryons": baryon_fraction, "matter": 1.0}
    listed = _shares({field.name: mass for field, mass in masses.items()}, dmo_msunh)
    for field, mass in masses.items():
        if field.share is None:
            continue
        found, share = mass / dmo_msunh if dmo_msunh > 0 else float("nan"), expected[field.share]
        is_exact = field.share != "baryons"
        fits = found <= share + tolerance and (not is_exact or found >= share - tolerance)
        if not fits:
            raise DataError(
                where,
                f"{field.name} of {'' if is_exact else 'at most '}{share:.4g} of the matter to "
                f"{tolerance:.0%} (Omega_b / Omega_m = {baryon_fraction:.4g})",
                f"{found:.4g} ({listed})",
                "Fields in another order or unit, or another Omega_b than the run's?",
            )

    baryons = [field for field in masses if field.share == "baryons"]
    sparse = {field.label: masses[field] for field in baryons if field.sparse}
    diffuse = {field.label: masses[field] for field in baryons if not field.sparse}
    if diffuse and sum(sparse.values()) > sum(diffuse.values()):
        names = f"{' and '.join(sparse)} than in {' and '.join(diffuse)}"
        raise DataError(
            where, f"less mass in {names}", listed,
            "Are the two in each other's place, or is gas missing?",
        )  # fmt: skip


def _shares(masses: Mapping[str, float], dmo_msunh: float) -> str:
    return ", ".join(
        f"{name} {mass / dmo_msunh if dmo_msunh > 0 else float('nan'):.4g}"
        for name, mass in masses.items()
    )


def require_shares_of_matter(
    masses: Mapping[Field, float],
    baryon_fraction: float,
    where: str,
    *,
    shares: float,
    content: float,
) -> None:
    """Both checks on fields that were not made from particles here.

    Parameters
    ----------
    masses
        Of the condition and of fields, in one unit; means are no masses and are left out.
    baryon_fraction, where
        As in :func:`require_cosmic_shares`.
    shares, content
        Tolerances of the shares, and of the sum where the fields are all matter.
    """
    dmo = masses[CONDITION]
    fields = [field for field in masses if field is not CONDITION]
    own = {field: masses[field] for field in fields if field.adds_up}
    # shares first: fields in another order add up all the same
    require_cosmic_shares(own, dmo, baryon_fraction, where, tolerance=shares)
    summed = summands(fields)
    if summed:
        matter = {field.name: mass for field, mass in own.items() if field.name in summed}
        require_same_matter_content(matter, dmo, where, tolerance=content)
