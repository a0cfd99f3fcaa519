"""Statistics of the training split, and the table of parameter ranges; plain JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from emulator.config import ChannelConfig, ModelConfig
from emulator.data.parameters import canonical_name
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
        """Map ``[minimum, maximum]`` to [-1, 1]; values outside map outside."""
        low, high, here = self.minimum, self.maximum, value
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


class RunningMoments:
    """Mean and standard deviation of streamed values, in float64, channel by channel."""

    def __init__(self, n_channels: int) -> None:
        self.count = np.zeros(n_channels)
        self.total = np.zeros(n_channels)
        self.square = np.zeros(n_channels)

    def add(self, channel: int, values: np.ndarray) -> None:
        """Add any number of values of one channel."""
        values = np.asarray(values, np.float64)
        self.count[channel] += values.size
        self.total[channel] += values.sum()
        self.square[channel] += (values**2).sum()

    def result(self, names: Sequence[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Means and standard deviations; a channel without values or spread is an error."""
        empty = [name for name, count in zip(names, self.count, strict=True) if count == 0]
        if empty:
            raise EmulatorError(f"the training split has no values for {empty}")
        mean = self.total / self.count
        std = np.sqrt(np.maximum(self.square / self.count - mean**2, 0.0))
        flat = [name for name, s, m in zip(names, std, mean, strict=True) if s <= 1e-6 * abs(m)]
        if flat:
            raise EmulatorError(f"{flat} do not vary over the training split; nothing to learn")
        return tuple(map(float, mean)), tuple(map(float, std))


def fit_normalisation(
    paths: Sequence[Path], model: ModelConfig, context_factors: Sequence[int]
) -> Normalisation:
    """Stream over the maps of the training split and collect all statistics.

    Parameters
    ----------
    paths
        ``maps/{simulation}.h5`` of the training split only.
    model
        Channels and parameter names.
    context_factors
        Context windows in units of the cutout.

    Raises
    ------
    DataError
        If a map lacks a parameter that the model is conditioned on.
    """
    import torch

    from emulator.data.maps import read_maps
    from emulator.data.transforms import network_channels, raw_features

    names = network_channels(model.channels)
    targets = RunningMoments(len(names))
    fields = ["condition", *(f"context_{factor}" for factor in context_factors)]
    conditions = RunningMoments(len(fields))
    ranges: dict[str, ParameterScale] = {}
    cosmologies: dict[str, set[float]] = {"omega_m": set(), "omega_b": set()}
    for path in paths:
        maps = read_maps(path)
        for name, values in cosmologies.items():
            values.add(round(float(maps.attrs[name]), 6))
        fraction = torch.tensor(maps.attrs["omega_b"] / maps.attrs["omega_m"]).double()
        dmo = torch.from_numpy(maps.select(["dmo"])[:, 0]).double()
        target = torch.from_numpy(
            maps.select([channel.name for channel in model.channels])
        ).double()
        features, defined = raw_features(target, dmo, fraction, model.channels)
        for index in range(len(names)):
            targets.add(index, features[:, index][defined[:, index]].numpy())
        pyramid = [dmo.numpy(), *(maps.context[factor][:] for factor in context_factors)]
        for index, field in enumerate(pyramid):
            conditions.add(index, np.log(np.asarray(field, np.float64) + CONDITION_FLOOR_MSUNH))
        ranges = {name: _range(maps.param_ranges, name, path) for name in model.params}
    target_mean, target_std = targets.result(names)
    condition_mean, condition_std = conditions.result(fields)
    return Normalisation(
        channels=model.channels,
        target_mean=target_mean,
        target_std=target_std,
        condition_floor_msunh=CONDITION_FLOOR_MSUNH,
        condition_mean=condition_mean,
        condition_std=condition_std,
        context_factors=tuple(context_factors),
        params=ranges,
        cosmic_share=CosmicShare(
            omega_m=_density_source("Omega_m", cosmologies["omega_m"], model.params),
            omega_b=_density_source("Omega_b", cosmologies["omega_b"], model.params),
        ),
    )


def _density_source(name: str, values: set[float], params: Sequence[str]) -> str | float:
    """Parameter that gives a density, or its value if it is the same in the whole split."""
    for param in params:
        if canonical_name(param) == name:
            return param
    if len(values) == 1:
        return values.pop()
    raise EmulatorError(
        f"{name} differs between training simulations ({min(values):g} to {max(values):g}) but is "
        "not in model.params; add it, or the cosmic baryon share of a sample is unknown"
    )


def _range(ranges: Mapping[str, Mapping[str, Any]], name: str, path: Path) -> ParameterScale:
    if name not in ranges:
        raise DataError(
            f"{path}:param_ranges",
            f"parameter {name!r} (model.params)",
            f"only {sorted(ranges)}",
            "Name only parameters of the suite's table in model.params.",
        )
    entry = ranges[name]
    return ParameterScale(
        minimum=entry["min"], maximum=entry["max"], fiducial=entry["fiducial"], log=entry["log"]
    )
