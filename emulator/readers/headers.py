"""Headers: what every format says about a snapshot, in one set of units.

A format's reader collects what the file says (:class:`Stated`); :func:`settle` joins it with what
the config says, checks both, and converts. The particles keep the units of their file;
``length_mpch`` and ``mass_msunh`` convert them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.config import HeaderFacts
from emulator.io import DataError, names_in
from emulator.readers.numbers import integers, number, numbers

if TYPE_CHECKING:
    import h5py

_AGREEMENT = 1.0e-4

FileUnit = tuple[float, int]
"""``(value, power)``: the unit is ``value * h**power`` Mpc/h or Msun/h."""

LENGTHS: dict[str, FileUnit] = {
    "kpc/h": (1.0e-3, 0),
    "Mpc/h": (1.0, 0),
    "kpc": (1.0e-3, 1),
    "Mpc": (1.0, 1),
}
MASSES: dict[str, FileUnit] = {
    "1e10 Msun/h": (1.0e10, 0),
    "Msun/h": (1.0, 0),
    "1e10 Msun": (1.0e10, 1),
    "Msun": (1.0, 1),
}

_EXAMPLES = {"box_size_mpch": 25.0, "redshift": 0.0, "omega_m": 0.3, "hubble_h": 0.6711}


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


@dataclass(frozen=True)
class Stated:
    """What a file says itself; ``None`` where it is silent.

    ``box_size`` and ``mass_table`` are in the file's units of ``length`` and ``mass``.
    ``attributes`` maps keys of ``suite.header`` to the attributes where they were looked for, and
    ``present`` lists all attributes there are.
    """

    box_size: float | None
    redshift: float | None
    omega_m: float | None
    omega_b: float | None
    hubble_h: float | None
    counts: tuple[int, ...] | None
    mass_table: tuple[float, ...]
    length: FileUnit
    mass: FileUnit
    attributes: Mapping[str, str]
    present: Sequence[str]


def settle(stated: Stated, facts: HeaderFacts, where: str) -> Header:
    """Header out of what the file and the config (``suite.header``) say.

    Raises
    ------
    DataError
        An attribute that both lack, one on which they differ by more than 1e-4 (in 1+z for the
        redshift), or one that is not positive (-1 for the redshift). Units of the config replace
        those of the file.
    """
    needed = partial(_needed, stated=stated, facts=facts, where=where)
    hubble_h = needed("hubble_h", stated.hubble_h)
    length = scale(LENGTHS[facts.length_unit] if facts.length_unit else stated.length, hubble_h)
    mass = scale(MASSES[facts.mass_unit] if facts.mass_unit else stated.mass, hubble_h)
    box = None if stated.box_size is None else stated.box_size * length
    omega_b = _agreed(stated.omega_b, "omega_b", facts, where)
    return Header(
        box_size_mpch=needed("box_size_mpch", box),
        redshift=needed("redshift", stated.redshift),
        omega_m=needed("omega_m", stated.omega_m),
        omega_b=None if omega_b is None else needed("omega_b", omega_b),
        hubble_h=hubble_h,
        counts=stated.counts,
        mass_table_msunh=_mass_table([entry * mass for entry in stated.mass_table], facts, where),
        length_mpch=length,
        mass_msunh=mass,
    )


def merged_attributes(
    handle: "h5py.File",
    groups: Sequence[str],
    used: Sequence[str],
    path: Path,
    *,
    alike: Sequence[str],
) -> dict[str, Any]:
    """Attributes of several groups; the first that has one says it.

    Only those that are ``used`` are read: the others, which may be anything, are named and
    ``None``.

    Raises
    ------
    DataError
        Two groups that disagree about one of the numbers that must be ``alike`` in all of them.
    """
    found: dict[str, Any] = {}
    first: dict[str, str] = {}
    for group in (group for group in groups if group in handle):
        there = handle[group].attrs
        attrs = {name: there[name] if name in used else None for name in names_in(there)}
        for name in (name for name in alike if name in found and name in attrs):
            one, other = (numbers(a, name, f"{path}:{group}") for a in (found, attrs))
            where, elsewhere = f"{path}:{first[name]}/{name}", f"{group}/{name}"
            if name == "Redshift" and one is not None and other is not None:
                # of which zero says something
                one, other, where = 1.0 + one, 1.0 + other, f"{where} (1+z)"
            require_same_numbers(one, other, where, elsewhere)
        first = dict.fromkeys(attrs, group) | first
        found = attrs | found
    return found


def require_same_numbers(one: Any, other: Any, where: str, elsewhere: str) -> None:
    """Two sources of one fact agree to 1e-4; zero means that a source does not say.

    Raises
    ------
    DataError
        Names both, with what they say.
    """
    both = [np.ravel(value) for value in (one, other) if value is not None and np.any(value)]
    if len(both) == 2 and not (
        len(both[0]) == len(both[1]) and np.allclose(both[0], both[1], rtol=_AGREEMENT, atol=0)
    ):
        raise DataError(
            where,
            f"{both[1].tolist()} as {elsewhere} says",
            f"{both[0].tolist()}",
            "The file contradicts itself: find out which is right, and correct the other.",
        )


def stated_number(attrs: Mapping[str, Any], names: Sequence[str], where: str) -> float | None:
    """A number that is called one or another; ``None`` without any.

    Raises
    ------
    DataError
        Two of them that disagree, as :func:`require_same_numbers`.
    """
    found = {name: number(attrs, name, where) for name in names}
    stated = [name for name, value in found.items() if value]
    for name in stated[1:]:
        require_same_numbers(found[stated[0]], found[name], f"{where}/{stated[0]}", name)
    known = stated or [name for name, value in found.items() if value is not None]
    return found[known[0]] if known else None


def box_side(attrs: Mapping[str, Any], where: str) -> float | None:
    """``BoxSize`` in the file's unit: a number, or three that are equal; ``None`` without it."""
    sides = numbers(attrs, "BoxSize", where)
    if sides is None:
        return None
    if len(sides) not in (1, 3) or not np.allclose(
        sides, sides[0], rtol=1e-6, atol=0, equal_nan=True
    ):
        raise DataError(f"{where}/BoxSize", "a cube", f"sides {sides.tolist()}")
    return float(sides[0])


def total_counts(attrs: Mapping[str, Any], where: str) -> tuple[int, ...] | None:
    """Particles of the whole snapshot by type, from their low and high 32 bits.

    Raises
    ------
    DataError
        Counts that are no whole numbers, or of 64 bits beside high words that contradict them.
    """
    low = integers(attrs, "NumPart_Total", where)
    if low is None:
        return None
    high = integers(attrs, "NumPart_Total_HighWord", where)
    pairs = zip_longest(low.tolist(), [] if high is None else high.tolist(), fillvalue=0)
    return tuple(_joined(*pair, where) for pair in pairs)


def _joined(low: int, high: int, where: str) -> int:
    """A count out of its low and high word; newer codes write 64 bits into the first."""
    if -(1 << 31) <= low < 0:  # an unsigned word in a signed attribute
        low += 1 << 32
    if low >= 1 << 32 and high in (0, low >> 32):
        return low
    if not (0 <= low < 1 << 32 and 0 <= high < 1 << 31):
        raise DataError(
            f"{where}/NumPart_Total", "counts in two words of 32 bits", f"{low} and {high}"
        )
    return low + (high << 32)


def scale(unit: FileUnit, hubble_h: float) -> float:
    """The unit in Mpc/h or Msun/h."""
    value, power = unit
    return value * hubble_h**power


def _needed(
    key: str, found: float | None, *, stated: Stated, facts: HeaderFacts, where: str
) -> float:
    value = _agreed(found, key, facts, where)
    if value is None:
        raise DataError(
            where,
            f"attribute {stated.attributes[key]!r}",
            f"only {', '.join(sorted(stated.present)) or 'none'}",
            "Cut-outs often drop the header; give it in the config, e.g. "
            f"suite.header.{key}: {_EXAMPLES[key]}.",
        )
    least = -1.0 if key == "redshift" else 0.0
    if not least < value < math.inf:
        raise DataError(f"{where}/{stated.attributes[key]}", f"more than {least:g}", f"{value:g}")
    return value


def _agreed(found: float | None, key: str, facts: HeaderFacts, where: str) -> float | None:
    """One value out of the file's and the config's."""
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


def _mass_table(found: Sequence[float], facts: HeaderFacts, where: str) -> tuple[float, ...]:
    """Masses by type [Msun/h]; zero in file or config means that it does not say."""
    given = facts.mass_table_msunh or ()
    table = [0.0] * max(len(found), len(given))
    table[: len(given)] = given
    for kind, mass in enumerate(found):
        if mass > 0 and table[kind] > 0 and not abs(table[kind] - mass) <= _AGREEMENT * mass:
            raise DataError(
                f"{where}/MassTable",
                f"{table[kind]:g} Msun/h for type {kind} as suite.header.mass_table_msunh says",
                f"{mass:g}",
                "Set that entry of suite.header.mass_table_msunh to 0, or mend the file.",
            )
        table[kind] = mass or table[kind]
    return tuple(table)
