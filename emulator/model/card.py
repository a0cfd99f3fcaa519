"""The model card: all that a bundle says of a model, but for its weights.

Bundles come from other people, too. So everything is validated before anything is built from it:
numbers are finite and of a size that computes, lists have the lengths that the channels ask for,
and a learned schedule increases.
"""

from itertools import pairwise
from typing import Annotated, Any, Literal

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from torch import Tensor

from emulator.config import ConsistencyConfig, DiffusionConfig, NetworkConfig
from emulator.config.documents import shorten_error
from emulator.config.section import Gamma
from emulator.config.suites.redshifts import PARAMETER as REDSHIFT
from emulator.domain import Domain, Symmetry, matter_of
from emulator.io import DataError, EmulatorError
from emulator.model.build import Objective
from emulator.model.normalisation import Normalisation

FORMAT_VERSION = 8
"""Version of what is written. A change of ``model.json`` that older readers or files do not survive
raises it and gets a line here; versions from :data:`OLDEST` on are read.

* 8: volumes; the dimensions of a network are those of its data.
* 7: which conditions the training saw; models of arrays; a redshift that is a parameter.
* 6: the kernel of the maps; a network for each field, weights of massive pixels, levels of a
  distillation.
* 5: channels say what a hurdle's channels hold, and the width of an ``asinh_ratio``; shares of
  pixels in which channels are defined; whether each field has a network of its own.
* 4: channels hold the row of their field, as a config may declare further ones.
* 3: ``model.json`` bears its checksum.
* 2: ``diffusion`` names schedule and weight instead of an objective; ``schedule`` and ``modes``.
* 1: the first; it cannot be read.
"""

OLDEST = 2
_WITHOUT_NDIM = 8

Side = Annotated[int, Field(ge=1, le=8192)]
NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0.0, le=1.0e6)]


class Grid(BaseModel):
    """Geometry of the cutouts that the model was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_mpch: Length
    window: Side
    depth_mpch: Length
    redshift: Annotated[float, Field(gt=-1.0, le=1.0e4)] | None
    """None: it is a parameter of the model, with its range."""
    deposit: Literal["ngp", "cic", "tsc", "adaptive"] | None = None
    """Kernel that the maps were deposited by; None: it is not known."""
    dimensions: Literal[2, 3] = 2
    """Of space; windows of 3 are cubes."""

    @model_serializer(mode="wrap")
    def _without_a_third_axis(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        if self.dimensions == 2:
            written.pop("dimensions", None)
        return written

    @property
    def pixel(self) -> float:
        """Side of a pixel [Mpc/h]."""
        return self.pixel_mpch

    @property
    def shape(self) -> tuple[int, ...]:
        """Pixels along the axes of space."""
        return (self.window,) * self.dimensions

    def attributes(self) -> dict[str, float | int | str]:
        """What is known, as attributes of a file."""
        return self.model_dump(exclude_none=True, exclude={"dimensions"})


class ArrayGrid(BaseModel):
    """Geometry of arrays, which are used whole, and what leaves their law unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel: Length
    length_unit: Annotated[str, Field(min_length=1, max_length=20)]
    shape: tuple[Side, ...] = Field(min_length=2, max_length=2)
    periodic: tuple[bool, ...] = Field((False, False), min_length=2, max_length=2)
    symmetries: tuple[Symmetry, ...] = ()

    def attributes(self) -> dict[str, float | int | str]:
        """What is known, as attributes of a file; the rest stands in its domain."""
        return {"pixel": self.pixel}


class TrainingFacts(BaseModel):
    """Section ``training`` of the config as it was, seed and objective; what is read is checked."""

    model_config = ConfigDict(frozen=True, extra="allow")

    seed: NonNegativeInt
    objective: Objective = "diffusion"
    precision: Literal["32", "bf16"] = "32"
    max_steps: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    consistency: ConsistencyConfig | None = None

    @model_validator(mode="after")
    def _levels_are_known(self) -> "TrainingFacts":
        if self.objective == "consistency" and self.consistency is None:
            raise ValueError("objective consistency needs the section consistency")
        return self


class Modes(BaseModel):
    """Spectra of the normalised training data, ``(channel, shell)``, for a spectral start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    power: tuple[tuple[NonNegative, ...], ...]
    residual: tuple[tuple[NonNegative, ...], ...]
    transfer: tuple[tuple[FiniteFloat, ...], ...]

    @model_validator(mode="after")
    def _shapes_agree(self) -> "Modes":
        shapes = {tuple(map(len, rows)) for rows in (self.power, self.residual, self.transfer)}
        if len(shapes) > 1 or len({n for shape in shapes for n in shape}) != 1:
            raise ValueError("power, residual and transfer need the same channels and shells")
        return self


class ModelCard(BaseModel):
    """Content of ``model.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[8] = 8
    name: str
    grid: Grid | ArrayGrid
    network: NetworkConfig
    diffusion: DiffusionConfig
    normalisation: Normalisation
    training: dict[str, Any]
    metrics: dict[str, FiniteFloat]
    attributes: dict[str, str]
    weights_sha256: str
    schedule: tuple[Gamma, ...] | None = None
    """Gammas at equidistant times, where the schedule was learned."""
    modes: dict[str, Any] | None = None
    """Spectra of the normalised training data (:class:`ModeStatistics`), for a spectral start."""

    @model_validator(mode="after")
    def _can_be_drawn_from(self) -> "ModelCard":
        TrainingFacts.model_validate(self.training)
        if self.modes is not None:
            Modes.model_validate(self.modes)
        falls = any(low >= high for low, high in pairwise(self.schedule or ()))
        if self.schedule is not None and (len(self.schedule) < 2 or falls):
            raise ValueError("schedule: gammas must increase, and be two at least")
        if any(side % self.network.factor for side in self.grid.shape):
            raise ValueError(f"grid.window must be a multiple of {self.network.factor}")
        if self.has_told_redshift and REDSHIFT not in self.normalisation.params:
            raise ValueError(f"grid.redshift is null, and {REDSHIFT} is no parameter")
        if isinstance(self.grid, Grid) is not (self.normalisation.given is None):
            raise ValueError("grid and normalisation must both be of matter, or both of arrays")
        if len(self.grid.shape) != self.normalisation.dimensions:
            raise ValueError("grid and normalisation must be of the same dimensions")
        self.network.require_dimensions(self.normalisation.dimensions)
        if self.network.needs_context and not self.normalisation.context_factors:
            raise ValueError("network needs context windows, and there are none")
        return self

    @property
    def has_told_redshift(self) -> bool:
        """Whether the redshift of a map is one of the parameters."""
        return isinstance(self.grid, Grid) and self.grid.redshift is None

    def require_trained_without(self, params: Tensor) -> None:
        """Refuse unknown parameters that the model was always told, or that the fields need.

        Parameters
        ----------
        params
            Physical values ``(batch, param)``, NaN where unknown.

        Raises
        ------
        EmulatorError
            Names the parameters.
        """
        unknown = torch.isnan(params)
        names = [n for i, n in enumerate(self.normalisation.params) if unknown[:, i].any()]
        if not names:
            return
        share, diffusion = self.normalisation.cosmic_share, self.diffusion
        sources = (share.omega_m, share.omega_b) if share else ()
        needed = [name for name in names if name in sources]
        if needed:
            raise EmulatorError(
                f"params: {', '.join(needed)} cannot be unknown: it sets the baryon fraction"
            )
        together = bool((unknown.all(1) | ~unknown.any(1)).all())
        if diffusion.drop_each_param == 0.0 and not (diffusion.drop_params > 0 and together):
            raise EmulatorError(
                f"params: {', '.join(names)} unknown, but the model was never trained without "
                "single parameters; train it with diffusion.drop_each_param > 0"
            )

    @property
    def domain(self) -> Domain:
        """What its maps are of."""
        given, grid = self.normalisation.given, self.grid
        if given is None or isinstance(grid, Grid):
            return matter_of(self.normalisation.dimensions)
        return Domain(
            length=grid.length_unit,
            conditions=given,
            symmetries=grid.symmetries,
            periodic=grid.periodic,
        )

    @property
    def matter_grid(self) -> Grid:
        """Geometry of maps of matter.

        Raises
        ------
        EmulatorError
            A model of arrays, which are used whole.
        """
        if not isinstance(self.grid, Grid):
            raise EmulatorError(
                f"model {self.name}: expected one of maps of matter, got one of arrays "
                f"({', '.join(field.name for field in self.domain.conditions)}), which are drawn "
                "whole by sample"
            )
        return self.grid

    def require_maps(self, what: str) -> None:
        """Refuse what is done with maps alone.

        Raises
        ------
        EmulatorError
            A model of volumes; names it and ``what``.
        """
        if self.domain.dimensions != 2:
            raise EmulatorError(
                f"{what}: expected a model of maps, got {self.name}, which is of volumes "
                "(data.dimensions: 3): draw windows with sample, or train a model of maps"
            )

    @property
    def facts(self) -> TrainingFacts:
        """What is read of how the model was trained."""
        return TrainingFacts.model_validate(self.training)


def parse_card(value: Any, source: str) -> ModelCard:
    """Validate a parsed ``model.json``, of this version or of an older one that can be read.

    Raises
    ------
    DataError
        Another version, or anything that no model can be built from.
    """
    version = value.get("format_version") if isinstance(value, dict) else None
    if type(version) is not int or not OLDEST <= version <= FORMAT_VERSION:
        raise DataError(
            source, f"format_version {OLDEST} to {FORMAT_VERSION}", repr(version)[:80],
            "A newer bundle needs a newer version of this package; an older one must be trained "
            "again (docs/training.md).",
        )  # fmt: skip
    if version < _WITHOUT_NDIM:
        value = _without_ndim(value, source)
    try:
        return ModelCard.model_validate({**value, "format_version": FORMAT_VERSION})
    except ValidationError as error:
        raise DataError(source, "a model card", f"\n{shorten_error(error)}") from error


def _without_ndim(value: dict[str, Any], source: str) -> dict[str, Any]:
    """Before format 8 a network said its dimensions itself: two."""
    network = value.get("network")
    if not isinstance(network, dict) or "ndim" not in network:
        return value
    if network["ndim"] != 2:
        raise DataError(source, "a model card whose network.ndim is 2", repr(network["ndim"])[:80])
    rest = {key: entry for key, entry in network.items() if key != "ndim"}
    return {**value, "network": rest}
