"""What the model knows of its training data: statistics and parameter ranges; plain JSON."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError, model_validator

from emulator.config import ChannelConfig
from emulator.config.documents import shorten_error
from emulator.io import DataError, EmulatorError, read_json, write_json

_LARGEST = 1.0e4

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

    def scale(self, value: float) -> float:
        """Map ``[minimum, maximum]`` to [-1, 1]; values outside map outside, unknown to unknown."""
        low, high, here = self.minimum, self.maximum, value
        if np.isnan(value):
            return float("nan")
        if self.log:
            if value <= 0:
                raise EmulatorError(f"a log-scaled parameter must be positive, got {value}")
            low, high, here = np.log(low), np.log(high), np.log(here)
        return float(2 * (here - low) / (high - low) - 1)


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

    def baryon_fraction(self, params: Mapping[str, float]) -> float:
        """Omega_b / Omega_m at these parameters."""
        values = [
            float(params[source]) if isinstance(source, str) else source
            for source in (self.omega_b, self.omega_m)
        ]
        return values[0] / values[1]


class Normalisation(BaseModel):
    """What the model needs to know about its training data.

    Lists run over the network's channels (targets) and over condition plus context windows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[ChannelConfig, ...]
    target_mean: tuple[FiniteFloat, ...]
    target_std: tuple[FiniteFloat, ...]
    condition_floor_msunh: FiniteFloat
    condition_mean: tuple[FiniteFloat, ...]
    condition_std: tuple[FiniteFloat, ...]
    context_factors: tuple[int, ...]
    params: dict[str, ParameterScale]
    cosmic_share: CosmicShare

    @model_validator(mode="after")
    def _statistics_are_possible(self) -> "Normalisation":
        n_channels = sum(2 if channel.transform == "hurdle" else 1 for channel in self.channels)
        lengths = {"target": n_channels, "condition": 1 + len(self.context_factors)}
        for kind, length in lengths.items():
            mean, std = getattr(self, f"{kind}_mean"), getattr(self, f"{kind}_std")
            if (len(mean), len(std)) != (length, length):
                raise ValueError(f"{kind}_mean, {kind}_std need {length} values each")
            if not all(abs(m) <= _LARGEST and 1.0 / _LARGEST <= s <= _LARGEST
                       for m, s in zip(mean, std, strict=True)):  # fmt: skip
                raise ValueError(
                    f"statistics of logarithms need abs({kind}_mean) <= {_LARGEST:g} and "
                    f"{kind}_std in [{1 / _LARGEST:g}, {_LARGEST:g}]"
                )
        if not self.channels or self.condition_floor_msunh <= 0:
            raise ValueError("there must be channels, and condition_floor_msunh must be positive")
        if any(low >= high for low, high in pairwise((1, *self.context_factors))):
            raise ValueError("context_factors must increase, from 2")
        sources = (self.cosmic_share.omega_m, self.cosmic_share.omega_b)
        unknown = [name for name in sources if isinstance(name, str) and name not in self.params]
        if unknown:
            raise ValueError(f"cosmic_share names {unknown}, which are no parameters")
        return self

    def encode_params(self, params: Mapping[str, float]) -> np.ndarray:
        """Scale parameters by name.

        Parameters
        ----------
        params
            Physical values; additional names are ignored.

        Returns
        -------
        ``(param,)`` float32 in the order of ``self.params``.

        Raises
        ------
        EmulatorError
            If a parameter of the model is missing.
        """
        missing = [name for name in self.params if name not in params]
        if missing:
            raise EmulatorError(
                f"parameters {missing} are missing; the model needs {list(self.params)}, "
                f"got {sorted(params)}"
            )
        return np.array(
            [scale.scale(float(params[name])) for name, scale in self.params.items()], np.float32
        )

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
