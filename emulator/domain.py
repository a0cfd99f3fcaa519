"""The domain: what maps are of, where that is not said by their fields alone.

Maps of matter have comoving lengths, one condition and a universe; their files say nothing of a
domain. Maps of a suite of kind ``arrays`` carry an attribute ``domain`` (JSON) from the maps file
to the metrics: the unit of their pixels, their conditions, and what leaves their law unchanged.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from emulator.fields import CONDITION, Field
from emulator.io.errors import DataError
from emulator.nouns import OF_MATTER, Nouns, nouns_of_arrays
from emulator.units import Unit

ATTRIBUTE = "domain"
"""Attribute of files that holds it."""

Symmetry = Literal["d4", "shifts"]


class Domain(BaseModel):
    """What maps are of.

    Attributes
    ----------
    length
        Unit of a pixel's side.
    conditions
        Fields that are given, in the order of the files.
    symmetries
        What leaves the law unchanged: ``d4``, turns and flips; ``shifts`` along periodic axes.
    periodic
        Whether opposite edges touch, along y and x.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    length: str = str(Unit.LENGTH)
    conditions: tuple[Field, ...] = (CONDITION,)
    symmetries: tuple[Symmetry, ...] = ("d4",)
    periodic: tuple[bool, bool] = (True, True)

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
            return str(Unit.POWER_2D)
        return f"{self.length}^2" if self.length.isalnum() else f"({self.length})^2"

    @property
    def nouns(self) -> Nouns:
        """What sentences call the condition, amounts and groups."""
        return OF_MATTER if self.is_matter else nouns_of_arrays(self.conditions[0].label)

    def attributes(self) -> dict[str, str]:
        """As attributes of a file; none of matter."""
        return {} if self.is_matter else {ATTRIBUTE: self.model_dump_json()}


MATTER = Domain()
"""That of files without the attribute."""


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
