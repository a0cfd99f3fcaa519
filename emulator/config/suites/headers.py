"""What the headers of a suite's snapshots fail to say."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from emulator.config.section import Section

LengthUnit = Literal["kpc/h", "Mpc/h", "kpc", "Mpc"]
MassUnit = Literal["1e10 Msun/h", "Msun/h", "1e10 Msun", "Msun"]


class HeaderFacts(Section):
    """What the headers of a suite's snapshots fail to say; null: as the file says.

    A fact fills in for a missing attribute. A header that says something else is an error, except
    for the units: those replace what the file claims.
    """

    box_size_mpch: PositiveFloat | None = Field(None, description="side of the box [Mpc/h]")
    redshift: NonNegativeFloat | None = Field(None, description="of the snapshots")
    omega_m: PositiveFloat | None = Field(None, description="matter density")
    omega_b: PositiveFloat | None = Field(None, description="baryon density")
    hubble_h: PositiveFloat | None = Field(None, description="H_0 in units of 100 km/s/Mpc")
    mass_table_msunh: tuple[NonNegativeFloat, ...] | None = Field(
        None, description="mass of a particle by type; 0: the file holds them one by one [Msun/h]"
    )
    masses: Literal["particles", "header"] | None = Field(
        None,
        description="which to take where a type has both masses of its particles and an entry of "
        "MassTable that says another; null: an error",
    )
    length_unit: LengthUnit | None = Field(None, description="comoving; GADGET's default is kpc/h")
    mass_unit: MassUnit | None = Field(None, description="GADGET's default is 1e10 Msun/h")
