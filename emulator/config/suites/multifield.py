"""Suites of ready maps."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from emulator.config.suites.existing import ExistingSuite
from emulator.config.suites.layout import TemplatePath, template_path
from emulator.fields import Field as FieldRow

_FILES = {
    "dmo": "Maps_Mtot_Nbody_{suite}_{set}_z=0.00.npy",
    "dm_hydro": "Maps_Mcdm_{suite}_{set}_z=0.00.npy",
    "gas": "Maps_Mgas_{suite}_{set}_z=0.00.npy",
    "stars": "Maps_Mstar_{suite}_{set}_z=0.00.npy",
    "gas_temperature": "Maps_T_{suite}_{set}_z=0.00.npy",
}
"""As the CAMELS Multifield Dataset names them."""


class MultifieldSuite(ExistingSuite):
    """Ready maps in the form of the CAMELS Multifield Dataset: one ``.npy`` a field and set.

    Map ``i`` belongs to simulation ``i // maps_per_simulation``; values are surface densities
    [(Msun/h) / (Mpc/h)^2].
    """

    kind: Literal["multifield"] = "multifield"
    maps_per_simulation: PositiveInt = Field(
        15, description="maps of each simulation, one after another in a file"
    )
    box_size_mpch: PositiveFloat = Field(25.0, description="side of the maps [Mpc/h]")
    depth_mpch: PositiveFloat = Field(5.0, description="depth of the projected slab [Mpc/h]")
    redshift: NonNegativeFloat = Field(0.0, description="of the maps")
    hubble_h: PositiveFloat = Field(0.6711, description="H_0 in units of 100 km/s/Mpc")
    omega_b: PositiveFloat = Field(0.049, description="baryon density")
    maps: dict[str, TemplatePath] = Field(
        {},
        description="file of each field, by its name; those of the table are known",
    )
    parameters: TemplatePath = Field(
        "params_{set}_{suite}.txt", description="table of the parameters of a set"
    )
    ranges: TemplatePath = Field(
        "./data/parameters/camels_6.csv", description="table of the ranges of the parameters"
    )

    @model_validator(mode="before")
    @classmethod
    def _files_of_fields(cls, value: Any) -> Any:
        """Files of the known fields, and those that stood beside the other keys once."""
        if not isinstance(value, dict):
            return value
        beside = {name: value[name] for name in _FILES if name in value}
        rest = {key: entry for key, entry in value.items() if key not in beside}
        given = rest.get("maps", {})
        return {**rest, "maps": {**_FILES, **beside, **given} if isinstance(given, dict) else given}

    def path(self, kind: str, root: str | Path, simulation: str) -> Path:
        """Path of a field's array, of ``parameters`` or of ``ranges``."""
        template = self.maps[kind] if kind in self.maps else getattr(self, kind)
        return template_path(template, root, simulation, suite=self.name)

    def lacks(self, field: FieldRow) -> str | None:
        """Why a field cannot be made from these files, if it cannot."""
        return None if field.name in self.maps else f"suite.maps names no file of {field.name}"
