"""Suites of ready windows."""

import glob
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from emulator.config.section import renamed
from emulator.config.suites.existing import ExistingSuite
from emulator.config.suites.layout import TemplatePath, template_path
from emulator.fields import TARGETS
from emulator.fields import Field as FieldRow


class WindowsSuite(ExistingSuite):
    """Ready windows: ``.npz`` files of a halo each, with the keys that BIND uses.

    Windows are not periodic: they are used whole, in any of their eight orientations. The order of
    ``params`` in the files is ``parameter_names``.
    """

    kind: Literal["windows"] = "windows"
    files: TemplatePath = Field(
        "{set}/{simulation}/*.npz", description="pattern of the windows of one simulation"
    )
    targets: tuple[str, ...] = Field(
        TARGETS, min_length=1, description="fields of `target` in the files, in their order"
    )
    box_size_mpch: PositiveFloat = Field(
        50.0, description="box of the windows, of data.n_pixels pixels a side [Mpc/h]"
    )
    depth_mpch: PositiveFloat = Field(50.0, description="depth of the projection [Mpc/h]")
    redshift: NonNegativeFloat = Field(0.0, description="of the windows")
    hubble_h: PositiveFloat = Field(0.6711, description="H_0 in units of 100 km/s/Mpc")
    omega_m: PositiveFloat = Field(0.3, description="where no parameter says it")
    omega_b: PositiveFloat = Field(0.049, description="where no parameter says it")
    ranges: TemplatePath = Field(
        "./data/parameters/camels_tng_35.csv", description="table of the ranges of the parameters"
    )

    @model_validator(mode="before")
    @classmethod
    def _old_name_of_the_files(cls, value: Any) -> Any:
        return renamed(value, "samples", "files")

    def path(self, kind: str, root: str | Path, simulation: str) -> Path:
        """Path of the table of ranges, or the pattern of the files."""
        return template_path(getattr(self, kind), root, simulation, suite=self.name)

    def windows(self, root: str | Path, simulation: str) -> list[Path]:
        """Files of the windows of one simulation; sorted by name."""
        pattern = self.path("files", glob.escape(str(root)), glob.escape(simulation))
        return sorted(map(Path, glob.glob(str(pattern))))

    def lacks(self, field: FieldRow) -> str | None:
        """Why a field cannot be made from these files, if it cannot."""
        if field.name in self.targets:
            return None
        return f"suite.targets, the fields of the files, has no {field.name}"
