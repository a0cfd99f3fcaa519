"""Headers: what every format says about a snapshot, in one set of units.

The files themselves keep their own units; ``length_mpch`` and ``mass_msunh`` convert them.
"""

from dataclasses import dataclass

from emulator.config import HeaderFacts
from emulator.io import DataError

_AGREEMENT = 1.0e-4

LENGTHS = {"kpc/h": (1.0e-3, 0), "Mpc/h": (1.0, 0), "kpc": (1.0e-3, 1), "Mpc": (1.0, 1)}
"""Unit of length -> (Mpc, power of h) of which it is so many Mpc/h."""

MASSES = {
    "1e10 Msun/h": (1.0e10, 0),
    "Msun/h": (1.0, 0),
    "1e10 Msun": (1.0e10, 1),
    "Msun": (1.0, 1),
}
"""Unit of mass -> (Msun, power of h) of which it is so many Msun/h."""


@dataclass(frozen=True)
class Header:
    """Facts of a snapshot, in Mpc/h and Msun/h.

    ``mass_table_msunh`` has one entry a particle type, 0 where masses are stored one by one.
    ``omega_b`` is ``None`` where the file does not say (GADGET does not write it). ``counts`` is of
    the whole snapshot, and ``None`` where the file does not say. ``length_mpch`` and ``mass_msunh``
    are the units of ``Coordinates`` and ``Masses``.
    """

    box_size_mpch: float
    redshift: float
    omega_m: float
    omega_b: float | None
    hubble_h: float
    counts: tuple[int, ...] | None
    mass_table_msunh: tuple[float, ...]
    length_mpch: float
    mass_msunh: float


def chosen_units(
    facts: HeaderFacts, hubble_h: float, length_mpch: float, mass_msunh: float
) -> tuple[float, float]:
    """Units [Mpc/h, Msun/h] that the config names, or else those of the file."""
    if facts.length_unit is not None:
        factor, power = LENGTHS[facts.length_unit]
        length_mpch = factor * hubble_h**power
    if facts.mass_unit is not None:
        factor, power = MASSES[facts.mass_unit]
        mass_msunh = factor * hubble_h**power
    return length_mpch, mass_msunh


def settle(found: float | None, key: str, facts: HeaderFacts, where: str) -> float | None:
    """One value out of the file's and the config's (``suite.header.{key}``), which must agree.

    Raises
    ------
    DataError
        The two differ by more than 1e-4 (in 1+z for the redshift).
    """
    fact = getattr(facts, key)
    if fact is None or found is None:
        return found if fact is None else fact
    shift = 1.0 if key == "redshift" else 0.0
    if not abs(fact - found) <= _AGREEMENT * abs(found + shift):
        raise DataError(
            where,
            f"{key} = {fact:g} as suite.header says",
            f"{found:g}",
            f"Remove suite.header.{key} from the config, or mend the file.",
        )
    return found


def require(value: float | None, key: str, where: str, attribute: str, present: list[str]) -> float:
    """``value``, or a :class:`DataError` that offers the config's ``suite.header.{key}``."""
    if value is None:
        raise DataError(
            where,
            f"attribute {attribute!r}",
            f"only {', '.join(present) or 'none'}",
            f"Cut-outs often drop the header; give it in the config: suite.header.{key}.",
        )
    return value


def checked_box(box_size_mpch: float, where: str) -> float:
    """A positive box size [Mpc/h]."""
    if not 0 < box_size_mpch < float("inf"):
        raise DataError(f"{where}/BoxSize", "a positive box size", f"{box_size_mpch:g}")
    return box_size_mpch
