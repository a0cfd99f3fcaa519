"""Fields: what is projected, drawn and measured, in one table.

A field is a row of :data:`FIELDS`, or is declared in a config. Nobody else knows one by its name:
how it is made from particles, what it would be if it followed the matter, how the network sees it,
its label, colour and bars all stand here.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, model_validator
from pydantic import Field as _Value

from emulator.io.errors import DataError
from emulator.units import OF_FIELDS, Unit

Particles = Literal["dark_matter", "gas", "stars", "black_holes"]
TransformName = Literal[
    "log_ratio", "asinh_ratio", "log", "hurdle", "asinh", "identity", "quantile"
]

Floor = Annotated[float, _Value(gt=0.0, le=1.0e20)]
Weight = Annotated[float, _Value(ge=1.0e-6, le=1.0e6)]


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError(f"expected one printable line, got {text!r}")
    return text


Text = Annotated[str, _Value(min_length=1, max_length=60), AfterValidator(_printable)]


class Field(BaseModel):
    """One field: what it is, how it is made, how it is learned and judged.

    A field is a mass that adds up, unless it has ``mean_of``: a property of its particles, of which
    the field is the mass-weighted mean; or ``sum_of``: a property that adds up and is no mass, of
    which the field is the sum over the area of a pixel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    name: str = _Value(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="name of the channel")
    label: Text = _Value(description="what figures and tables call it")
    unit: str = _Value(
        str(Unit.MASS_PER_PIXEL), description=f"unit of its values: {', '.join(OF_FIELDS)}"
    )
    color: str = _Value("#009E73", pattern=r"^#[0-9A-Fa-f]{6}$", description="colour in figures")
    run: Literal["dmo", "hydro", "array"] = _Value(
        "hydro", description="the twin whose particles it is of; array: it is an array of a file"
    )
    particles: tuple[Particles, ...] = _Value(
        (), description="particles that it is made from; none of an array"
    )
    mean_of: str | None = _Value(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
        description="property whose mass-weighted mean it is: temperature, or the name of a "
        "dataset; null: no mean",
    )
    sum_of: Literal["compton_y"] | None = _Value(
        None,
        description="property whose sum over particles, per physical area of a pixel, it is; null: "
        "a mass or a mean",
    )
    signed: bool = _Value(False, description="whether values may be negative")
    sparse: bool = _Value(False, description="whether most pixels are empty")
    share: Literal["dark_matter", "baryons", "matter"] | None = _Value(
        None,
        description="cosmic share that it would hold of the matter if it followed it; matter: all",
    )
    transform: TransformName = _Value("log", description="how the network sees it, by default")
    floor: Floor = _Value(
        1.0e8, description="default of what is added before the logarithm, in units of the field"
    )
    loss_weight: Weight = _Value(1.0, description="default weight in the loss")
    power_tolerance: Weight | None = _Value(
        None, description="default bar of |P/P_truth - 1|; null: none"
    )
    mass_tolerance: Weight | None = _Value(
        None, description="default bar of |M/M_truth - 1| of the total mass; null: none"
    )

    @model_validator(mode="after")
    def _is_possible(self) -> "Field":
        if self.run == "array":
            self._require_array()
            return self
        if not self.particles:
            raise ValueError(f"{self.name}: particles: expected the kinds that it is made from")
        if self.unit not in list(OF_FIELDS):
            raise ValueError(f"unknown unit {self.unit!r}; there are {', '.join(OF_FIELDS)}")
        if self.adds_up and self.unit != Unit.MASS_PER_PIXEL:
            raise ValueError(
                f"{self.name}: a mass is in {Unit.MASS_PER_PIXEL}, not in {self.unit}; a field in "
                "another unit is a mean of something (mean_of)"
            )
        if self.mean_of is not None and self.sum_of is not None:
            raise ValueError(f"{self.name}: a field is a mean_of or a sum_of, not both")
        if self.sum_of is not None and self.unit != Unit.DIMENSIONLESS:
            raise ValueError(f"{self.name}: {self.sum_of} is in 1, not in {self.unit}")
        if not self.adds_up and self.share is not None:
            what = "mean" if self.sum_of is None else f"sum of {self.sum_of}"
            raise ValueError(f"{self.name}: a {what} is no share of the matter")
        require_transform(self, self.transform)
        return self

    def _require_array(self) -> None:
        """An array has a unit of its own, and nothing that only matter has."""
        _printable(self.unit)
        matter = {
            "particles": bool(self.particles),
            "mean_of": self.mean_of is not None,
            "sum_of": self.sum_of is not None,
            "share": self.share is not None,
        }
        named = [key for key, is_given in matter.items() if is_given]
        if named:
            raise ValueError(
                f"{self.name}: {', '.join(named)} belong to fields that are made of particles, and "
                "this one is read from a file: leave them out"
            )
        if self.transform in ("log", "asinh") and "floor" not in self.model_fields_set:
            raise ValueError(
                f"{self.name}: transform {self.transform} needs its floor, in {self.unit}: what is "
                "added before the logarithm, or the scale of an asinh"
            )
        require_transform(self, self.transform)

    @property
    def adds_up(self) -> bool:
        """Whether it is a mass that adds up: no mean, no sum of anything else, and no array."""
        return self.mean_of is None and self.sum_of is None and self.run != "array"


def require_transform(field: Field, transform: TransformName) -> None:
    """Refuse a transform that a field's values do not allow.

    Raises
    ------
    ValueError
        A transform of masses for signed values, or a ratio to a share that the field does not have.
    """
    if transform == "quantile" and field.run != "array":
        raise ValueError(
            f"transform quantile is fitted to values of arrays, and {field.name} is made of "
            "particles; use log, asinh or asinh_ratio"
        )
    if field.signed and transform in ("log", "log_ratio", "asinh_ratio", "hurdle"):
        raise ValueError(
            f"transform {transform} needs values of zero or more, and {field.name} is signed; "
            "use asinh or identity"
        )
    if transform in ("log_ratio", "asinh_ratio", "hurdle") and field.run == "array":
        raise ValueError(
            f"transform {transform} is relative to a share of the condition, which an array such "
            f"as {field.name} does not have; use log, asinh or identity"
        )
    if transform in ("log_ratio", "asinh_ratio", "hurdle") and field.share is None:
        raise ValueError(
            f"transform {transform} is relative to a share of the matter, which {field.name} does "
            "not have; use log, asinh or identity"
        )


CONDITION = Field(
    name="dmo",
    label="dark matter only",
    color="#767676",
    run="dmo",
    particles=("dark_matter",),
)
"""What the model is given."""

TOTAL = Field(
    name="total",
    label="total matter",
    color="#000000",
    particles=("dark_matter", "gas", "stars"),
    power_tolerance=0.10,
    mass_tolerance=0.02,
)
"""The sum of the channels, where they make up all matter."""

FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field(
            name="dm_hydro",
            label="dark matter",
            color="#0072B2",
            particles=("dark_matter",),
            share="dark_matter",
            transform="log_ratio",
            power_tolerance=0.10,
            mass_tolerance=0.02,
        ),
        Field(
            name="gas",
            label="gas",
            color="#D55E00",
            particles=("gas",),
            share="baryons",
            transform="log_ratio",
            power_tolerance=0.25,
            mass_tolerance=0.02,
        ),
        Field(
            name="stars",
            label="stars",
            color="#E69F00",
            particles=("stars",),
            sparse=True,
            share="baryons",
            transform="hurdle",
            floor=1.0e9,
            loss_weight=3.0,
            power_tolerance=0.50,
            mass_tolerance=0.10,
        ),
        Field(
            name="gas_temperature",
            label="gas temperature",
            unit=str(Unit.TEMPERATURE),
            color="#CC79A7",
            particles=("gas",),
            mean_of="temperature",
            transform="log",
            floor=100.0,
        ),
        Field(
            name="compton_y",
            label="Compton y",
            unit=str(Unit.DIMENSIONLESS),
            color="#56B4E9",
            particles=("gas",),
            sum_of="compton_y",
            transform="log",
            floor=1.0e-11,
        ),
        Field(
            name="dm_fine",
            label="dark matter (fine run)",
            color="#0072B2",
            particles=("dark_matter",),
            share="matter",
            transform="log_ratio",
            power_tolerance=0.10,
            mass_tolerance=0.02,
        ),
    )
}
"""The fields that a config can name."""

TARGETS = ("dm_hydro", "gas", "stars")
"""What is projected and drawn unless the config says otherwise."""


def with_total(fields: Sequence[Field]) -> tuple[Field, ...]:
    """Fields, and their sum where they make up all matter: that of gas alone is no total."""
    return (*fields, TOTAL) if summands(fields) else tuple(fields)


def summands(fields: Sequence[Field]) -> tuple[str, ...]:
    """Names of the masses that add up to all matter, each kind of particle once; or none."""
    masses = [field for field in fields if field.adds_up and field.run == "hydro"]
    counts = Counter(kind for field in masses for kind in field.particles)
    complete = all(counts[kind] == 1 for kind in TOTAL.particles) and max(counts.values()) == 1
    return tuple(field.name for field in masses) if masses and complete else ()


def of_dark_matter_alone(fields: Iterable[Field]) -> bool:
    """Whether the run that fields are of has no baryons: its dark matter is all matter."""
    return any(f.share == "matter" and f.particles == ("dark_matter",) for f in fields)


def shared_unit(fields: Iterable[Field], otherwise: str) -> str:
    """The unit of all fields; or else what stands in its place where they share one array."""
    units = {field.unit for field in fields}
    return units.pop() if len(units) == 1 else otherwise


def find_fields(names: Iterable[str], known: Mapping[str, Field] = FIELDS) -> tuple[Field, ...]:
    """Rows of the table by name.

    Raises
    ------
    ValueError
        An unknown name, with those that there are.
    """
    names = tuple(names)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"unknown fields {unknown}; there are {', '.join(known)}")
    return tuple(known[name] for name in names)


def dump_fields(fields: Iterable[Field]) -> str:
    """Fields as an attribute of a file, JSON by name."""
    return json.dumps({field.name: field.model_dump(mode="json") for field in fields})


def load_fields(
    attrs: Mapping[str, Any], names: Iterable[str], where: str | Path
) -> tuple[Field, ...]:
    """Fields that a file names: as its attribute ``fields`` declares them, or of the table.

    Raises
    ------
    DataError
        A name that neither knows, or a declaration that is none; ``where`` names the file.
    """
    names = tuple(names)
    try:
        declared = _DECLARED.validate_json(attrs["fields"]) if "fields" in attrs else {}
        return find_fields(names, FIELDS | {f.name: f for f in (CONDITION, TOTAL)} | declared)
    except ValueError as error:
        raise DataError(
            f"{where}:fields", f"declarations of the channels {', '.join(names)}", str(error)
        ) from error


_DECLARED = TypeAdapter(dict[str, Field])
