"""What the model knows of its training data: statistics and parameter ranges; plain JSON."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    FiniteFloat,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic import Field as Value
from torch import Tensor

from emulator.config import Channel
from emulator.config.documents import shorten_error
from emulator.config.section import renamed
from emulator.fields import FIELDS, Field
from emulator.io import DataError, EmulatorError, read_json, write_json
from emulator.model.seen_conditions import SeenConditions
from emulator.model.transforms import TRANSFORMS

_LARGEST = 1.0e4
_SMALLEST = 1.0e-20
"""Of standard deviations of arrays, in any unit: squares stay within float32's range."""
_EITHER_OR = ("condition_floor_msunh", "cosmic_share", "given")

Share = Annotated[float, Value(gt=0.0, le=1.0)]

CONDITION_FLOOR_MSUNH = 1.0e8
"""Added to DMO masses before the logarithm [Msun/h per pixel]."""


class ParameterScale(BaseModel):
    """Range of one parameter; scaled to [-1, 1], linearly or in log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum: FiniteFloat
    maximum: FiniteFloat
    fiducial: FiniteFloat
    log: bool

    @model_validator(mode="after")
    def _is_a_range(self) -> "ParameterScale":
        if not self.minimum <= self.fiducial <= self.maximum or self.minimum == self.maximum:
            raise ValueError("a range needs minimum <= fiducial <= maximum, minimum < maximum")
        if self.log and self.minimum <= 0:
            raise ValueError("a logarithmic range needs a minimum above zero")
        return self

    def scale(self, values: Tensor) -> Tensor:
        """Map ``[minimum, maximum]`` to [-1, 1]; values outside map outside, unknown to unknown."""
        low, high = self.minimum, self.maximum
        if self.log:
            low, high, values = math.log(low), math.log(high), values.log()
        return 2 * (values - low) / (high - low) - 1


class CosmicShare(BaseModel):
    """Where Omega_b / Omega_m of a sample comes from: each a parameter's name, or a constant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    omega_m: str | FiniteFloat
    omega_b: str | FiniteFloat

    @model_validator(mode="after")
    def _is_a_share(self) -> "CosmicShare":
        numbers = [value for value in (self.omega_b, self.omega_m) if not isinstance(value, str)]
        if any(value <= 0 for value in numbers) or sorted(numbers) != numbers:
            raise ValueError("densities need 0 < omega_b <= omega_m")
        return self


class Normalisation(BaseModel):
    """What the model needs to know about its training data.

    Lists run over the network's channels (targets) and over condition plus context windows. Of a
    model of arrays there are ``given`` fields, seen as their rows say, and neither a floor of
    masses nor a cosmic share.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[Channel, ...]
    target_mean: tuple[FiniteFloat, ...]
    target_std: tuple[FiniteFloat, ...]
    condition_floor_msunh: FiniteFloat | None = None
    condition_mean: tuple[FiniteFloat, ...]
    condition_std: tuple[FiniteFloat, ...]
    context_factors: tuple[int, ...]
    params: dict[str, ParameterScale]
    cosmic_share: CosmicShare | None = None
    given: tuple[Field, ...] | None = None
    """Fields that are given, of arrays; None: the DMO mass and its context."""
    defined_share: tuple[Share, ...] | None = None
    """Share of the training pixels in which each channel of the network is defined; None: of a
    bundle that does not say (before format 5)."""
    conditions: SeenConditions | None = None
    """Which conditions there were; None: too few to know, or a bundle before format 7."""

    @model_serializer(mode="wrap")
    def _without_what_others_have(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Matter has no conditions of its own, arrays have nothing of matter."""
        written: dict[str, Any] = handler(self)
        absent = [key for key in _EITHER_OR if getattr(self, key) is None]
        return {key: value for key, value in written.items() if key not in absent}

    @model_validator(mode="before")
    @classmethod
    def _channels_of_old_bundles(cls, value: Any) -> Any:
        """Before fields had rows of their own, a channel was a name of the table."""
        channels = value.get("channels") if isinstance(value, dict) else None
        if not isinstance(channels, Sequence) or isinstance(channels, str):
            return value
        return {**value, "channels": [_with_its_field(channel) for channel in channels]}

    @model_validator(mode="after")
    def _statistics_are_possible(self) -> "Normalisation":
        n_channels = sum(len(TRANSFORMS[channel.transform].suffixes) for channel in self.channels)
        n_conditions = len(self.given or ("dmo",)) + len(self.context_factors)
        lengths = {"target": n_channels, "condition": n_conditions}
        for kind, length in lengths.items():
            mean, std = getattr(self, f"{kind}_mean"), getattr(self, f"{kind}_std")
            if (len(mean), len(std)) != (length, length):
                raise ValueError(f"{kind}_mean, {kind}_std need {length} values each")
            if self.given is None and not all(
                abs(m) <= _LARGEST and 1.0 / _LARGEST <= s <= _LARGEST
                for m, s in zip(mean, std, strict=True)
            ):
                raise ValueError(
                    f"statistics of logarithms need abs({kind}_mean) <= {_LARGEST:g} and "
                    f"{kind}_std in [{1 / _LARGEST:g}, {_LARGEST:g}]"
                )
            if any(not _SMALLEST <= s <= 1.0 / _SMALLEST for s in std):
                raise ValueError(f"{kind}_std must lie in [{_SMALLEST:g}, {1 / _SMALLEST:g}]")
        self._require_what_options_need(n_channels)
        if not self.channels:
            raise ValueError("there must be channels")
        self._require_matter_or_arrays()
        if any(low >= high for low, high in pairwise((1, *self.context_factors))):
            raise ValueError("context_factors must increase, from 2")
        share = self.cosmic_share
        sources = (share.omega_m, share.omega_b) if share else ()
        unknown = [name for name in sources if isinstance(name, str) and name not in self.params]
        if unknown:
            raise ValueError(f"cosmic_share names {unknown}, which are no parameters")
        return self

    def _require_matter_or_arrays(self) -> None:
        """A model is of one or of the other."""
        of_matter = (self.condition_floor_msunh, self.cosmic_share)
        if self.given is None:
            if None in of_matter or (self.condition_floor_msunh or 0.0) <= 0:
                raise ValueError(
                    "condition_floor_msunh must be there and positive, and cosmic_share be there"
                )
            return
        if of_matter != (None, None) or self.context_factors or not self.given:
            raise ValueError(
                "given fields belong to arrays, which have no condition_floor_msunh, cosmic_share "
                "or context_factors"
            )
        fields = (*self.given, *(channel.field for channel in self.channels))
        if any(field.run != "array" for field in fields):
            raise ValueError("given fields and channels of arrays must be arrays")

    @property
    def n_further(self) -> int:
        """Layers that the network sees beside the first condition."""
        return len(self.condition_mean) - 1

    def _require_what_options_need(self, n_channels: int) -> None:
        """Shares for channels that are masked, widths for ratios that are scaled by them."""
        masked = any(channel.empty_amplitude == "masked" for channel in self.channels)
        if len(self.defined_share or ()) != n_channels and (masked or self.defined_share):
            raise ValueError(f"defined_share needs {n_channels} values")
        if any(c.transform == "asinh_ratio" and c.linear_width is None for c in self.channels):
            raise ValueError("a channel with transform asinh_ratio needs its linear_width")
        if any(c.transform == "quantile" and c.quantiles is None for c in self.channels):
            raise ValueError("a channel with transform quantile needs its quantiles")

    def order_params(self, params: Mapping[str, float]) -> NDArray[np.float64]:
        """Physical values of the model's parameters, ``(param,)`` in its order.

        Additional names are ignored.

        Raises
        ------
        EmulatorError
            If a parameter of the model is missing, or no logarithm can be taken of one.
        """
        missing = [name for name in self.params if name not in params]
        if missing:
            raise EmulatorError(
                f"parameters {missing} are missing; the model needs {list(self.params)}, "
                f"got {sorted(params)}"
            )
        values = np.array([float(params[name]) for name in self.params])
        self.require_positive(values[None])
        return values

    def omega_m(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Omega_m ``(row,)`` at physical parameters ``(row, param)``; NaN where unknown."""
        source = self.cosmic_share.omega_m if self.cosmic_share else np.nan
        if isinstance(source, str):
            return params[:, list(self.params).index(source)]
        return np.full(len(params), source)

    def require_positive(self, table: NDArray[np.float64]) -> None:
        """Refuse values ``(row, param)`` of zero or less where a parameter is scaled by its log."""
        for index, (name, scale) in enumerate(self.params.items()):
            if scale.log and (table[:, index] <= 0).any():
                raise EmulatorError(
                    f"params: {name} is scaled by its logarithm and must be positive, got "
                    f"{np.nanmin(table[:, index]):g}"
                )

    def scale_params(self, params: Tensor) -> Tensor:
        """Physical values ``(batch, param)`` to about [-1, 1]; unknown ones stay NaN."""
        scales = self.params.values()
        columns = [scale.scale(params[:, index]) for index, scale in enumerate(scales)]
        return torch.stack(columns, dim=1) if columns else params

    def baryon_fraction(self, params: Tensor) -> Tensor:
        """Omega_b / Omega_m ``(batch,)`` at physical parameters ``(batch, param)``; 0 of arrays."""
        names = list(self.params)
        share = self.cosmic_share
        if share is None:
            return torch.zeros_like(params[:, 0] if names else params.sum(1))
        omega_b, omega_m = (
            params[:, names.index(source)]
            if isinstance(source, str)
            else torch.full_like(params[:, 0] if names else params.sum(1), source)
            for source in (share.omega_b, share.omega_m)
        )
        return omega_b / omega_m

    def write(self, path: str | Path) -> None:
        """Write as JSON, atomically."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: str | Path) -> "Normalisation":
        """Read and validate the JSON file."""
        return cls.parse(read_json(path), str(path))

    @classmethod
    def parse(cls, value: Any, source: str) -> "Normalisation":
        """Validate a parsed JSON value; ``source`` names it in errors."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise DataError(source, "a normalisation", shorten_error(error)) from error


def _with_its_field(channel: Any) -> Any:
    if not isinstance(channel, dict) or "field" in channel:
        return channel
    rest = {key: value for key, value in channel.items() if key != "name"}
    return {"field": FIELDS.get(str(channel.get("name"))), **renamed(rest, "floor_msunh", "floor")}
