"""What the model knows of its training data: statistics and parameter ranges; plain JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from emulator.config import ChannelConfig
from emulator.io import DataError, EmulatorError, read_json, write_json

CONDITION_FLOOR_MSUNH = 1.0e8
"""Added to DMO masses before the logarithm [Msun/h per pixel]."""


class ParameterScale(BaseModel):
    """Range of one parameter; scaled to [-1, 1], linearly or in log."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum: float
    maximum: float
    fiducial: float
    log: bool

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

    omega_m: str | float
    omega_b: str | float

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
    target_mean: tuple[float, ...]
    target_std: tuple[float, ...]
    condition_floor_msunh: float
    condition_mean: tuple[float, ...]
    condition_std: tuple[float, ...]
    context_factors: tuple[int, ...]
    params: dict[str, ParameterScale]
    cosmic_share: CosmicShare

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
            raise DataError(source, "a normalisation", str(error)) from error
