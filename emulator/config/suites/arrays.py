"""Suites of arrays: named fields of any kind in files of any layout."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from emulator.config.section import FilePath, Section
from emulator.config.suites.existing import ExistingSuite
from emulator.config.suites.layout import TemplatePath, template_path
from emulator.fields import FIELDS
from emulator.fields import Field as FieldRow

FORMATS = (".npz", ".nc", ".h5", ".hdf5", ".zarr")
"""Endings of files: NumPy, netCDF and HDF5, Zarr."""

Symmetry = Literal["d4", "shifts"]


def as_arrays(fields: Any) -> Any:
    """Declarations of fields as those of arrays: of no particles, seen as they are."""
    if not isinstance(fields, (list, tuple)):
        return fields
    return [_as_array(field) if isinstance(field, dict) else field for field in fields]


def _as_array(field: dict[str, Any]) -> dict[str, Any]:
    filled = {"run": "array", "transform": "identity", **field}
    # others have no natural one
    return {"floor": 1.0, **filled} if filled["transform"] in ("identity", "quantile") else filled


def _symmetries(value: Any) -> Any:
    """One name, or ``none``, in place of a list."""
    if isinstance(value, str):
        return () if value == "none" else (value,)
    return value


def _unit(text: str) -> str:
    if not text.isprintable() or text != text.strip() or not text:
        raise ValueError(f"expected one printable unit, got {text!r}")
    return text


class ArrayParameter(Section):
    """A number of each simulation: an array of its file, and the range that it is scaled by."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    array: str | None = Field(
        None, description="name of the array: one number, or one a row; null: that of the parameter"
    )
    min: float = Field(description="lower end of the range")
    max: float = Field(description="upper end of the range")
    fiducial: float | None = Field(None, description="null: the middle of the range")
    log: bool = Field(False, description="whether it is scaled in its logarithm")

    @model_validator(mode="after")
    def _is_a_range(self) -> "ArrayParameter":
        if not self.min <= self.middle <= self.max or self.min == self.max:
            raise ValueError(f"{self.name}: expected min <= fiducial <= max, and min < max")
        if self.log and self.min <= 0:
            raise ValueError(f"{self.name}: a logarithm needs min above zero, got {self.min:g}")
        return self

    @property
    def middle(self) -> float:
        """Fiducial value."""
        if self.fiducial is not None:
            return self.fiducial
        return (self.min * self.max) ** 0.5 if self.log else (self.min + self.max) / 2


class ArraysSuite(ExistingSuite):
    """Arrays of named fields, of any domain, in ``.npz``, netCDF, HDF5 or Zarr.

    An array is ``(y, x)`` or ``(row, y, x)``. A simulation is a file of its own where ``files``
    names ``{simulation}`` or ``{number}``; else its rows of the file of its set: those that
    ``group`` labels alike, or the next ``rows_per_simulation``. A split never divides one.
    """

    kind: Literal["arrays"] = "arrays"
    files: TemplatePath = Field("{simulation}.npz", description="file of a simulation, or of a set")
    conditions: Annotated[tuple[FieldRow, ...], BeforeValidator(as_arrays)] = Field(
        min_length=1, description="fields that are given, declared as those of data.fields"
    )
    arrays: dict[str, str] = Field(
        {},
        description="name of the array of a field, with {set} if sets share a file; else its name",
    )
    rows_per_simulation: PositiveInt | None = Field(
        None, description="rows of a shared file that are one simulation"
    )
    group: str | None = Field(
        None, description="array of a label a row: rows of one label are one simulation"
    )
    pixel: PositiveFloat = Field(1.0, description="side of a pixel, in length_unit")
    length_unit: Annotated[str, AfterValidator(_unit)] = Field(
        "pixel", max_length=20, description="unit of length; wave numbers are in its inverse"
    )
    periodic: tuple[bool, bool] = Field(
        (False, False), description="whether opposite edges touch, along y and x"
    )
    symmetries: Annotated[tuple[Symmetry, ...], BeforeValidator(_symmetries)] = Field(
        (),
        description="what leaves the law unchanged, none, or one or both of d4 (quarter turns and "
        "flips) and shifts (along periodic axes): training windows are moved by it",
    )
    vectors: tuple[tuple[str, str], ...] = Field(
        (), description="pairs of fields that are components of a vector along y and x"
    )
    parameters: tuple[ArrayParameter, ...] = Field(
        (), description="numbers that condition the model beside the fields; none by default"
    )
    phases: Literal["seed", "own"] | dict[str, str] = Field(
        "own",
        description="which simulations belong together in a split. own: none do; or a label by set "
        "or simulation",
    )

    root: FilePath = Field(description="folder above the files; ~ and variables are expanded")

    @model_validator(mode="after")
    def _fields_are_their_own(self) -> "ArraysSuite":
        names = [field.name for field in self.conditions]
        repeated = len(set(names)) < len(names)
        taken = [name for name in names if name in FIELDS or name in ("dmo", "total")]
        if repeated or taken:
            raise ValueError(
                "suite.conditions: expected names that differ from each other and from those of "
                f"the table ({', '.join(FIELDS)}, dmo, total), got {names}"
            )
        strangers = [field.name for field in self.conditions if field.run != "array"]
        if strangers:
            raise ValueError(f"suite.conditions: {strangers} are no arrays: leave out run")
        fitted = [field.name for field in self.conditions if field.transform == "quantile"]
        if fitted:
            raise ValueError(
                f"suite.conditions: transform quantile is fitted for fields that are drawn, and "
                f"{fitted} are given: expected identity, asinh or log"
            )
        return self

    @model_validator(mode="after")
    def _format_is_known(self) -> "ArraysSuite":
        if Path(self.files).suffix not in FORMATS:
            raise ValueError(
                f"suite.files: expected a name that ends in {', '.join(FORMATS)}, got "
                f"{self.files!r}"
            )
        return self

    @model_validator(mode="after")
    def _rows_have_an_owner(self) -> "ArraysSuite":
        own_file = "{simulation}" in self.files or "{number}" in self.files
        ways = [
            name for name in ("rows_per_simulation", "group") if getattr(self, name) is not None
        ]
        if own_file and ways:
            raise ValueError(
                f"suite.{ways[0]} divides a file that simulations share, and suite.files "
                f"({self.files}) names one of each: leave one out"
            )
        if not own_file and len(ways) != 1:
            raise ValueError(
                f"suite.files ({self.files}) is one file of all simulations of a set: expected "
                "rows_per_simulation or group (or {simulation} or {number} in files), got "
                f"{' and '.join(ways) or 'neither'}"
            )
        return self

    @model_validator(mode="after")
    def _symmetries_are_possible(self) -> "ArraysSuite":
        if len(set(self.symmetries)) < len(self.symmetries):
            raise ValueError(f"suite.symmetries repeat: {list(self.symmetries)}")
        if "shifts" in self.symmetries and not any(self.periodic):
            raise ValueError(
                "suite.symmetries: shifts move a field along its periodic axes, and suite.periodic "
                f"is {list(self.periodic)}: say which axes are, or leave shifts out"
            )
        if "d4" in self.symmetries and self.periodic[0] != self.periodic[1]:
            raise ValueError(
                "suite.symmetries: d4 turns y into x, and suite.periodic is "
                f"{list(self.periodic)}: expected two axes alike, or no d4"
            )
        if "d4" in self.symmetries and self.vectors:
            raise ValueError(
                "suite.symmetries: d4 turns and flips maps but not the components of vectors "
                f"(suite.vectors {[list(pair) for pair in self.vectors]}): leave d4 out"
            )
        return self

    @model_validator(mode="after")
    def _parameters_are_named_once(self) -> "ArraysSuite":
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) < len(names):
            raise ValueError(f"suite.parameters: names repeat: {names}")
        if self.parameter_names is not None:
            raise ValueError("suite.parameter_names is of tables: name them in suite.parameters")
        return self

    def path(self, kind: str, root: str | Path, simulation: str) -> Path:
        """Path of the file that holds a simulation (``kind`` is ``files``)."""
        return template_path(getattr(self, kind), root, simulation, suite=self.name)

    def array_of(self, name: str, set_name: str) -> str:
        """Name of the array of a field, a parameter or a label in the file of a set."""
        return self.arrays.get(name, name).replace("{set}", set_name)

    def lacks(self, field: FieldRow) -> str | None:
        """Why a field cannot be read from these files, if it cannot."""
        if field.run != "array":
            return "fields of suite.kind arrays are declared in data.fields, with name and unit"
        if field.name in [condition.name for condition in self.conditions]:
            return "it is one of suite.conditions already"
        return None
