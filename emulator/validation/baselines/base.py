r"""A baseline: one class that learns from maps of the training split and forecasts windows.

The driver reads every training simulation once and shows it to all baselines by
:meth:`Baseline.add`; :meth:`Baseline.fit` ends the training. :meth:`Baseline.forecast` then gives
forecasts at the windows of an ensemble of a held-out simulation.

A forecast is *probabilistic* if it is an ensemble: it has the dimension ``member``, with as many
members as the model. Only these count for the bars; a deterministic one stands for orientation.

Not guaranteed: a baseline may leave out fields, or all of them (an empty mapping).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr

from emulator.data.cutouts import Shape
from emulator.data.maps import Maps
from emulator.fields import Field
from emulator.validation.baselines.shares import Shares


@dataclass(frozen=True)
class Training:
    """What all baselines know before they see a map.

    Attributes
    ----------
    fields
        What is forecast, in the order of the ensembles.
    shares
        What part of the matter is in which field.
    simulations
        Names of the training simulations, ``maps_dir/{name}.h5``.
    maps_dir
        Folder of the maps.
    window
        Pixels a side of a window, or along y and x.
    seed
        Of all random choices of a fit.
    regression
        Bundle of a regression that was trained on the same split, if there is one.
    """

    fields: tuple[Field, ...]
    shares: Shares
    simulations: tuple[str, ...]
    maps_dir: Path
    window: int | Shape
    seed: int = 0
    regression: Path | None = None


@dataclass(frozen=True)
class Forecast:
    """One forecast of a baseline: its name in files, its label, whether it is an ensemble."""

    name: str
    label: str
    probabilistic: bool


class Baseline(ABC):
    """One way to forecast without the model.

    Attributes
    ----------
    forecasts
        What :meth:`forecast` may return; a baseline whose parts share a fit gives several.
    training
        What it is fitted on.
    """

    forecasts: ClassVar[tuple[Forecast, ...]]

    def __init__(self, training: Training) -> None:
        self.training = training

    def add(self, maps: Maps) -> None:  # noqa: B027 - not every baseline looks at maps
        """Learn from one training simulation; called once for each, in their order.

        Raises
        ------
        DataError
            If the maps do not fit to those before, or lack a field.
        """

    def fit(self) -> None:  # noqa: B027
        """End the training, after the last simulation."""

    @abstractmethod
    def forecast(
        self, maps: Maps, ensemble: xr.Dataset, rng: np.random.Generator
    ) -> Mapping[str, xr.DataArray]:
        """Forecasts at the windows of an ensemble.

        Parameters
        ----------
        maps
            Maps of the simulation of the ensemble, whole.
        ensemble
            ``truth, condition, centre, projection, params`` of the ensemble contract. The truth
            gives shapes and names; its values must not be used.
        rng
            Draws members; its state depends on the baseline and the simulation alone.

        Returns
        -------
        ``(sample, channel, y, x)`` by name, or ``(sample, member, channel, y, x)`` of a
        probabilistic forecast, with the coordinate ``channel`` [unit of each field]; channels that
        are not treated are left out, and so is a forecast without any.
        """


def by_channel(numbers: Mapping[str, float]) -> xr.DataArray:
    """Numbers by name of channel ``(channel,)``."""
    values = np.array(list(numbers.values()), np.float64)
    return xr.DataArray(values, dims="channel", coords={"channel": list(numbers)})


def sparse_names(fields: Sequence[Field]) -> tuple[str, ...]:
    """Names of the sparse fields."""
    return tuple(field.name for field in fields if field.sparse)
