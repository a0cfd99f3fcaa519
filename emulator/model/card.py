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
    ValidationError,
    model_validator,
)
from torch import Tensor

from emulator.config import ConsistencyConfig, DiffusionConfig, NetworkConfig
from emulator.config.documents import shorten_error
from emulator.config.section import Gamma
from emulator.config.suites.redshifts import PARAMETER as REDSHIFT
from emulator.io import DataError, EmulatorError
from emulator.model.build import Objective
from emulator.model.normalisation import Normalisation

FORMAT_VERSION = 7
"""Version of what is written. A change of ``model.json`` that older readers or files do not survive
raises it and gets a line here; versions from :data:`OLDEST` on are read.

* 7: which conditions the training saw; a redshift that is a parameter.
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

NonNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0.0, le=1.0e6)]


class Grid(BaseModel):
    """Geometry of the cutouts that the model was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_mpch: Length
    window: Annotated[int, Field(ge=1, le=8192)]
    depth_mpch: Length
    redshift: Annotated[float, Field(gt=-1.0, le=1.0e4)] | None
    """None: it is a parameter of the model, with its range."""
    deposit: Literal["ngp", "cic", "tsc", "adaptive"] | None = None
    """Kernel that the maps were deposited by; None: it is not known."""

    def attributes(self) -> dict[str, float | int | str]:
        """What is known, as attributes of a file."""
        return self.model_dump(exclude_none=True)


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

    format_version: Literal[7] = 7
    name: str
    grid: Grid
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
        if self.grid.window % self.network.factor:
            raise ValueError(f"grid.window must be a multiple of {self.network.factor}")
        if self.grid.redshift is None and REDSHIFT not in self.normalisation.params:
            raise ValueError(f"grid.redshift is null, and {REDSHIFT} is no parameter")
        if self.network.ndim != 2:
            raise ValueError("network.ndim must be 2")
        if self.network.needs_context and not self.normalisation.context_factors:
            raise ValueError("network needs context windows, and there are none")
        return self

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
        needed = [name for name in names if name in (share.omega_m, share.omega_b)]
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
    try:
        return ModelCard.model_validate({**value, "format_version": FORMAT_VERSION})
    except ValidationError as error:
        raise DataError(source, "a model card", f"\n{shorten_error(error)}") from error
