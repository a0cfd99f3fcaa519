"""The domain: what maps are of, where that is not said by their fields alone.

Maps of matter have comoving lengths, one condition and a universe; their files say nothing of a
domain. Maps of a suite of kind ``arrays``, and volumes, carry an attribute ``domain`` (JSON) from
the maps file to the metrics: the unit of their pixels, their conditions, what leaves their law
unchanged, and their dimensions.

Axes of space have the names of :data:`SPACE` and come last in every array: ``(..., y, x)`` of maps,
``(..., z, y, x)`` of volumes.
"""

from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from emulator.fields import CONDITION, Field
from emulator.io.errors import DataError
from emulator.nouns import OF_MATTER, Nouns, nouns_of_arrays
from emulator.units import Unit

ATTRIBUTE = "domain"
"""Attribute of files that holds it."""

Symmetry = Literal["d4", "cube", "shifts"]

SPACE = ("z", "y", "x")
"""Names of the axes of space, in the order of arrays; maps have the last two."""


def space_of(dimensions: int) -> tuple[str, ...]:
    """Names of the axes of so many dimensions, in the order of arrays."""
    return SPACE[len(SPACE) - dimensions :]


def space_in(dims: Iterable[Hashable]) -> tuple[str, ...]:
    """Axes of space among the dimensions of a labelled array, in the order of arrays."""
    found = set(dims)
    return tuple(name for name in SPACE if name in found)


class Domain(BaseModel):
    """What maps are of.

    Attributes
    ----------
    length
        Unit of a pixel's side.
    conditions
        Fields that are given, in the order of the files.
    symmetries
        What leaves the law unchanged: ``d4``, turns and flips of a square; ``cube``, those of a
        cube; ``shifts`` along periodic axes.
    periodic
        Whether opposite edges touch, along each axis of space.
    dimensions
        Of space: 2 of maps, 3 of volumes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: str = str(Unit.LENGTH)
    conditions: tuple[Field, ...] = (CONDITION,)
    symmetries: tuple[Symmetry, ...] = ("d4",)
    periodic: tuple[bool, ...] = (True, True)
    dimensions: Literal[2, 3] = 2

    @model_validator(mode="after")
    def _axes_agree(self) -> "Domain":
        if len(self.periodic) != self.dimensions:
            raise ValueError(f"periodic: expected {self.dimensions} axes, got {self.periodic}")
        return self

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes of space, in the order of arrays."""
        return space_of(self.dimensions)

    @property
    def is_matter(self) -> bool:
        """Whether maps are of matter, in a universe."""
        return self.conditions[0] == CONDITION

    @property
    def wave_number(self) -> str:
        """Unit of wave numbers."""
        return str(Unit.WAVE_NUMBER) if self.is_matter else f"1/{self.length}"

    @property
    def power(self) -> str:
        """Unit of power spectra of dimensionless maps."""
        if self.is_matter:
            return str(Unit.POWER_2D if self.dimensions == 2 else Unit.POWER_3D)
        return f"{self.length}^2" if self.length.isalnum() else f"({self.length})^2"

    @property
    def nouns(self) -> Nouns:
        """What sentences call the condition, amounts and groups."""
        return OF_MATTER if self.is_matter else nouns_of_arrays(self.conditions[0].label)

    def attributes(self) -> dict[str, str]:
        """As attributes of a file; none of maps of matter."""
        if self == MATTER:
            return {}
        flat = {"dimensions"} if self.dimensions == 2 else None
        return {ATTRIBUTE: self.model_dump_json(exclude_defaults=self.is_matter, exclude=flat)}


MATTER = Domain()
"""That of files without the attribute."""

VOLUMES = Domain(dimensions=3, symmetries=("cube", "shifts"), periodic=(True, True, True))
"""Cubes of matter: mass per voxel."""


def matter_of(dimensions: int) -> Domain:
    """Domain of matter in maps or in volumes."""
    return MATTER if dimensions == 2 else VOLUMES


def domain_of(attrs: Mapping[Any, Any], where: str | Path) -> Domain:
    """Domain of a file, from its attributes.

    Raises
    ------
    DataError
        An attribute that is none; ``where`` names the file.
    """
    if ATTRIBUTE not in attrs:
        return MATTER
    try:
        return Domain.model_validate_json(attrs[ATTRIBUTE])
    except ValidationError as error:
        raise DataError(f"{where}:{ATTRIBUTE}", "a domain", str(error)) from error


def pixel_of(attrs: Mapping[Any, Any]) -> float:
    """Side of a pixel, in the unit of length of its domain."""
    return float(attrs["pixel_mpch" if "pixel_mpch" in attrs else "pixel"])
