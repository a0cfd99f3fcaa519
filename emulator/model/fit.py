"""Fit the statistics of the training split, streaming over its maps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from emulator.config import Channel
from emulator.config.documents import shorten_error
from emulator.data.maps import Maps, read_maps
from emulator.domain import Domain
from emulator.io import DataError, EmulatorError
from emulator.model.field_transform import (
    cosmic_reference,
    network_channels,
    raw_features,
    transformed_conditions,
)
from emulator.model.hurdle import keep_bits
from emulator.model.normalisation import (
    CONDITION_FLOOR_MSUNH,
    Normalisation,
    ParameterScale,
)
from emulator.model.quantile import MOST_VALUES, fit_quantiles
from emulator.readers.parameter_table import canonical_name


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
    paths: Sequence[Path],
    channels: Sequence[Channel],
    params: Sequence[str],
    context_factors: Sequence[int],
) -> Normalisation:
    """Stream over the maps of the training split and collect all statistics.

    Parameters
    ----------
    paths
        ``maps/{simulation}.h5`` of the training split only.
    channels, params
        What the model draws, and names of the parameters that condition it.
    context_factors
        Context windows in units of the cutout.

    Raises
    ------
    DataError
        If a map lacks a parameter that the model is conditioned on, or the statistics are none that
        anything can be normalised by.
    """
    names = network_channels(channels)
    channels = _with_quantiles(paths, _with_linear_widths(paths, channels))
    targets = RunningMoments(len(names))
    domain = read_maps(paths[0], lazy=True).domain
    fields = _condition_names(domain, context_factors)
    conditions = RunningMoments(len(fields))
    ranges: dict[str, ParameterScale] = {}
    cosmologies: dict[str, set[float]] = {"omega_m": set(), "omega_b": set()}
    for path in paths:
        maps = read_maps(path)
        if maps.domain != domain:
            raise DataError(
                f"{path}:domain", f"that of {paths[0]}", "another",
                "Project all simulations with one config.",
            )  # fmt: skip
        for name, values in cosmologies.items() if domain.is_matter else ():
            values.add(round(float(maps.attrs[name]), 6))
        for projection in range(maps.n_projections):
            _add_targets(targets, maps, projection, channels)
            for index, feature in enumerate(_condition_features(maps, projection, context_factors)):
                conditions.add(index, feature)
        ranges = {name: _range(maps.param_ranges, name, path) for name in params}
    target_mean, target_std = keep_bits(channels, targets.result(names))
    condition_mean, condition_std = conditions.result(fields)
    # validated as if it had been read: what cannot be is said here, not where it is used
    fitted: dict[str, Any] = {
        "channels": tuple(channels),
        "target_mean": target_mean,
        "target_std": target_std,
        "condition_mean": condition_mean,
        "condition_std": condition_std,
        "context_factors": tuple(context_factors),
        "params": ranges,
        "defined_share": tuple((targets.count / conditions.count[0]).tolist()),
    }
    if domain.is_matter:
        fitted["condition_floor_msunh"] = CONDITION_FLOOR_MSUNH
        fitted["cosmic_share"] = {
            "omega_m": _density_source("Omega_m", cosmologies["omega_m"], params),
            "omega_b": _density_source("Omega_b", cosmologies["omega_b"], params),
        }
    else:
        fitted["given"] = domain.conditions
    return Normalisation.parse(fitted, f"statistics of {len(paths)} training simulations")


def _condition_names(domain: Domain, context_factors: Sequence[int]) -> list[str]:
    """Layers of the condition, as messages call them."""
    if domain.is_matter:
        return ["condition", *(f"context_{factor}" for factor in context_factors)]
    return [field.name for field in domain.conditions]


def _condition_features(
    maps: Maps, projection: int, context_factors: Sequence[int]
) -> list[np.ndarray]:
    """Layers of the condition of one projection as the network sees them, in float64."""
    if not maps.domain.is_matter:
        layers = maps.maps[projection][[maps.species_index(name) for name in maps.conditions]]
        given = torch.from_numpy(np.asarray(layers, np.float64))
        return list(transformed_conditions(given, maps.domain.conditions).numpy())
    pyramid = [maps.maps[projection, maps.species_index("dmo")]]
    pyramid += [maps.context[factor][projection] for factor in context_factors]
    return [np.log(np.asarray(field, np.float64) + CONDITION_FLOOR_MSUNH) for field in pyramid]


def _add_targets(
    targets: RunningMoments, maps: Maps, projection: int, channels: Sequence[Channel]
) -> None:
    """Add what the network would see of one projection; memory is that of a few maps."""
    target, dmo, fraction = _fields_of(maps, projection, channels)
    features, defined = raw_features(target, dmo, fraction, channels)
    for index in range(len(features)):
        targets.add(index, features[index][defined[index]].numpy())


def _with_linear_widths(paths: Sequence[Path], channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Channels with the standard deviation of their ratio, where they need it and do not say it."""
    wanted = [c for c in channels if c.transform == "asinh_ratio" and c.linear_width is None]
    if not wanted:
        return tuple(channels)
    ratios = RunningMoments(len(wanted))
    for path in paths:
        maps = read_maps(path)
        for projection in range(maps.n_projections):
            target, dmo, fraction = _fields_of(maps, projection, wanted)
            for index, channel in enumerate(wanted):
                reference = cosmic_reference(dmo, fraction, channel.field) + channel.floor
                ratios.add(index, ((target[index] + channel.floor) / reference).numpy())
    names = [channel.name for channel in wanted]
    widths = dict(zip(names, ratios.result(names)[1], strict=True))
    return tuple(
        channel.model_copy(update={"linear_width": widths[channel.name]})
        if channel.name in widths
        else channel
        for channel in channels
    )


def _with_quantiles(paths: Sequence[Path], channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Channels with knots of what their fields are distributed as, where they need them.

    Of large splits every n-th value counts.
    """
    wanted = [c.name for c in channels if c.transform == "quantile" and c.quantiles is None]
    if not wanted:
        return tuple(channels)
    total = len(paths) * read_maps(paths[0]).select(wanted[:1]).size
    every = max(1, total // MOST_VALUES)
    knots = {
        name: fit_quantiles(
            np.concatenate([read_maps(p).select([name]).ravel()[::every] for p in paths]), name
        )
        for name in wanted
    }
    return tuple(
        c.model_copy(update={"quantiles": knots[c.name]}) if c.name in knots else c
        for c in channels
    )


def _fields_of(
    maps: Maps, projection: int, channels: Sequence[Channel]
) -> tuple[Tensor, Tensor, Tensor]:
    """Fields of the channels, DMO mass and baryon fraction of one projection, in float64."""
    species = [
        maps.species_index(name)
        for name in (maps.conditions[0], *(channel.name for channel in channels))
    ]
    fields = torch.from_numpy(maps.maps[projection][species]).double()
    is_matter = maps.domain.is_matter
    share = maps.attrs["omega_b"] / maps.attrs["omega_m"] if is_matter else 0.0
    fraction = torch.tensor(share).double()
    return fields[1:], fields[0], fraction


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
    try:
        return ParameterScale(
            minimum=entry["min"], maximum=entry["max"], fiducial=entry["fiducial"], log=entry["log"]
        )
    except ValidationError as error:
        where = f"{path}:param_ranges:{name}"
        raise DataError(where, "a range", shorten_error(error)) from error
