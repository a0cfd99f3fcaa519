"""Unit labels: the closed set of units that may stand in ``attrs["units"]``.

Units here are *labels*. General unit libraries read ``Mpc/h`` as "megaparsec per hour", so nothing
is parsed: lengths are comoving Mpc/h, masses Msun/h, wave numbers h/Mpc throughout, and whatever
changes a unit sets the label itself. Conversions happen once, where a file is read.
"""

from enum import StrEnum

GADGET_MASS_MSUNH = 1.0e10
"""GADGET and AREPO files store masses in 1e10 Msun/h."""

KPCH_PER_MPCH = 1.0e3
"""GADGET and AREPO files store positions in comoving kpc/h."""

CRITICAL_DENSITY = 2.77536627e11
"""Critical density today, 3 H0^2 / (8 pi G) [Msun/h / (Mpc/h)^3]."""


class Unit(StrEnum):
    """Every unit label that this project writes."""

    LENGTH = "Mpc/h"
    MASS = "Msun/h"
    MASS_PER_PIXEL = "Msun/h per pixel"
    WAVE_NUMBER = "h/Mpc"
    POWER_2D = "(Mpc/h)^2"
    POWER_3D = "(Mpc/h)^3"
    BISPECTRUM_2D = "(Mpc/h)^4"
    DIMENSIONLESS = "1"
    PIXEL = "pixel"
    NATS = "nats"
    TEMPERATURE = "K"
    VELOCITY = "km/s"
    MAGNETIC_FIELD = "G"
    ENERGY = "keV"
    NUMBER_DENSITY = "cm^-3"


OF_FIELDS = (
    Unit.MASS_PER_PIXEL, Unit.DIMENSIONLESS, Unit.TEMPERATURE, Unit.VELOCITY, Unit.MAGNETIC_FIELD,
    Unit.ENERGY, Unit.NUMBER_DENSITY,
)  # fmt: skip
"""Units that values of a field can have."""
