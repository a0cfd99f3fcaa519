"""Data: from snapshots to maps, from maps to cutouts, and who is held out."""

import math
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from emulator.config.section import Fraction, Section
from emulator.config.suites.layout import set_of
from emulator.fields import CONDITION, FIELDS, TARGETS, TOTAL, find_fields
from emulator.fields import Field as FieldRow


class SplitConfig(Section):
    """Who trains, who validates, who is held out: whole runs, never windows of one run."""

    validation_fraction: Fraction = Field(
        0.1, description="share of the runs outside the held-out sets, for validation"
    )
    test_fraction: Fraction = Field(0.1, description="share of the same runs, for the test")
    test_sets: tuple[str, ...] = Field(("CV", "BE"), description="sets held out as a whole")
    response_sets: tuple[str, ...] = Field(
        ("1P",),
        description="sets that move one parameter at a time in equal phases: held out as a whole, "
        "drawn with common windows and noise, and judged by their responses alone",
    )
    training_runs: PositiveInt | None = Field(
        None,
        description="train on so many runs, those of the smallest hash, and leave the others out; "
        "null: on all that are neither validation nor test",
    )
    seed: NonNegativeInt = Field(0, description="of the assignment of runs to splits")

    def response_set_of(self, simulation: str) -> str | None:
        """The response set of a simulation, if it is of one."""
        name = set_of(simulation)
        return name if name in self.response_sets else None


class DataConfig(Section):
    """From snapshots to maps, and from maps to cutouts."""

    fields: tuple[str | FieldRow, ...] = Field(
        TARGETS,
        min_length=1,
        description="what is mapped of the hydrodynamic run: names of the table of fields "
        f"({', '.join(FIELDS)}), or declarations of further ones",
    )
    dimensions: Literal[2, 3] = Field(
        2, description="2: maps, projected along each axis; 3: volumes, cubes of mass per voxel"
    )
    n_pixels: PositiveInt = Field(128, description="pixels a side of the full-box map")
    slabs: PositiveInt = Field(
        1, description="slabs along each line of sight; a map holds one slab of depth box / slabs"
    )
    deposit: Literal["ngp", "cic", "tsc", "adaptive"] = Field(
        "adaptive", description="cic: dense data; adaptive: width follows the local density"
    )
    scheduler: str = Field(
        "threads",
        pattern=r"^(threads|processes|slurm|(tcp|tls|ucx)://.+)$",
        description="workers of a projection: threads, processes, slurm (jobs of their own, by "
        "dask-jobqueue), or the address of a running dask.distributed scheduler",
    )
    block_particles: PositiveInt = Field(
        1_048_576, description="particles read at a time; bounds the memory of a projection"
    )
    window: PositiveInt = Field(32, description="pixels a side of a cutout")
    shape: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="of suite.kind arrays, in place of n_pixels and window: rows and columns"
    )
    context_factors: tuple[PositiveInt, ...] = Field(
        (2, 4), description="context windows in units of the cutout; block-averaged to its pixels"
    )
    split: SplitConfig = SplitConfig()

    @field_validator("fields")
    @classmethod
    def _fields_are_known(cls, fields: tuple[str | FieldRow, ...]) -> tuple[str | FieldRow, ...]:
        find_fields(name for name in fields if isinstance(name, str))
        names = _names(fields)
        taken = [n for n in (CONDITION.name, TOTAL.name) if n in names]
        declared = [f.name for f in fields if isinstance(f, FieldRow)]
        taken += [name for name in declared if name in FIELDS]
        if taken or len(set(names)) < len(names):
            raise ValueError(
                f"names of fields must differ from each other and from {CONDITION.name}, "
                f"{TOTAL.name} and, where they are declared, from {', '.join(FIELDS)}; got {names}"
            )
        arrays = [f.name for f in fields if isinstance(f, FieldRow) and f.run == "array"]
        if arrays and len(arrays) < len(fields):
            raise ValueError(f"expected arrays of a file alone, or none, got {names}")
        bare = [f.name for f in fields if isinstance(f, FieldRow) and f.run == "dmo"]
        if bare:
            raise ValueError(f"{bare}: fields are of the run hydro; {CONDITION.name} is given")
        return fields

    @property
    def targets(self) -> tuple[FieldRow, ...]:
        """Rows of the fields that are mapped."""
        declared = {field.name: field for field in self.fields if isinstance(field, FieldRow)}
        return find_fields(_names(self.fields), FIELDS | declared)

    @property
    def of_arrays(self) -> bool:
        """Whether fields are arrays of a file, of any domain."""
        return all(field.run == "array" for field in self.targets)

    @property
    def window_shape(self) -> tuple[int, ...]:
        """Pixels of a window along the axes of space."""
        return self.shape or (self.window,) * self.dimensions

    @property
    def window_pixels(self) -> int:
        """Pixels of a window in all."""
        return math.prod(self.window_shape)

    @property
    def n_layers(self) -> int:
        """Layers that the box is cut into along a line of sight: slabs, or those of voxels."""
        return self.slabs if self.dimensions == 2 else self.n_pixels

    @model_validator(mode="after")
    def _arrays_have_a_shape(self) -> "DataConfig":
        if not self.of_arrays:
            if self.shape is not None:
                raise ValueError(
                    "shape belongs to suite.kind arrays; set window and n_pixels instead"
                )
            return self
        if self.shape is None:
            raise ValueError(
                "shape: expected [rows, columns] of the arrays, which are used whole, got none"
            )
        if min(self.shape) < 4:
            raise ValueError(f"shape: expected at least 4 pixels a side, got {list(self.shape)}")
        if self.context_factors:
            raise ValueError(
                "context_factors: arrays are used whole and have no surroundings; expected [], got "
                f"{list(self.context_factors)}"
            )
        return self

    @model_validator(mode="after")
    def _volumes_are_of_matter(self) -> "DataConfig":
        if self.dimensions == 2:
            return self
        if self.slabs != 1:
            raise ValueError(
                "slabs: a volume has no line of sight that is cut into slabs: expected 1 with "
                f"dimensions 3, got {self.slabs}; leave it out, or set dimensions to 2"
            )
        if self.of_arrays:
            raise ValueError(
                "dimensions: arrays of suite.kind arrays have two yet: expected 2, got 3; leave it "
                "out"
            )
        columns = [field.name for field in self.targets if field.sum_of is not None]
        if columns:
            raise ValueError(
                f"fields: {', '.join(columns)} is a sum along a line of sight over the area of a "
                "pixel, which volumes do not have: leave it out, or set dimensions to 2"
            )
        return self

    @model_validator(mode="after")
    def _windows_fit(self) -> "DataConfig":
        if list(self.context_factors) != sorted(set(self.context_factors)):
            raise ValueError("context_factors must increase and not repeat")
        for factor in (1, *self.context_factors):
            if self.n_pixels % factor or self.window * factor > self.n_pixels:
                raise ValueError(
                    f"context factor {factor}: {factor} x window ({self.window}) must fit in "
                    f"n_pixels ({self.n_pixels}), and {factor} must divide n_pixels"
                )
        return self


def _names(fields: tuple[str | FieldRow, ...]) -> list[str]:
    return [field if isinstance(field, str) else field.name for field in fields]
