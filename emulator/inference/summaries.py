"""What parameters are inferred from: numbers of fields, and of the DMO maps that they belong to.

Each is compressed so that its differences compare over the whole prior: masses, profiles and roots
of power as the model's transform compresses a mean (:meth:`Transform.compress`), DMO masses by the
logarithm. So an empty field gives a finite number, too.
"""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr

from emulator.config import Channel
from emulator.data.condition import Condition
from emulator.io import EmulatorError
from emulator.metrics import summaries
from emulator.model.card import ModelCard
from emulator.model.field_transform import transform_of

NAMES = ("mass", "log_variance", "power", "profile")
"""Mean of a field, variance of its logarithm, power in four bins of wave number, and means in four
classes of DMO mass."""


class Summaries:
    """Numbers ``(sample, number)`` of windows.

    Parameters
    ----------
    card
        Of the model: its fields, their transforms, and the pixel.
    names
        Some of :data:`NAMES`.

    Raises
    ------
    EmulatorError
        For other names, or none.
    """

    def __init__(self, card: ModelCard, names: Sequence[str] = NAMES) -> None:
        if not names or isinstance(names, str) or [n for n in names if n not in NAMES]:
            raise EmulatorError(f"summaries: expected some of {', '.join(NAMES)}, got {names!r}")
        self.names = tuple(names)
        self.channels = card.normalisation.channels
        self.floor = card.normalisation.condition_floor_msunh
        self.pixel_mpch = card.matter_grid.pixel_mpch

    def of_fields(self, fields: np.ndarray, condition: np.ndarray) -> np.ndarray:
        """Of fields ``(sample, channel, y, x)`` in their units and DMO masses ``(sample, y, x)``.

        Returns
        -------
        ``(sample, number)`` float64: all numbers of a channel, then those of the next.
        """
        maps = xr.DataArray(fields, dims=("sample", "channel", "y", "x"))
        dmo = xr.DataArray(condition, dims=("sample", "y", "x"))
        parts = [self._of(name, maps, dmo) for name in self.names]
        columns = [
            part.isel(channel=[place]).transpose("sample", ...).values.reshape(len(fields), -1)
            if name == "log_variance"
            else _compress(part.isel(channel=place), channel, fields.shape[-1] ** 2)
            for place, channel in enumerate(self.channels)
            for name, part in zip(self.names, parts, strict=True)
        ]
        found: np.ndarray = np.concatenate(columns, axis=1)
        return found

    def of_condition(self, condition: Condition) -> np.ndarray:
        """Of the DMO windows and their surroundings, ``(sample, number)``."""
        dmo = xr.DataArray(condition.field.numpy(), dims=("sample", "y", "x"))
        parts = [self._of(name, dmo, dmo) for name in self.names]
        columns = [
            values.values.reshape(len(dmo), -1)
            if name == "log_variance"
            else np.log(values.values.reshape(len(dmo), -1) + self.floor)
            for name, values in zip(self.names, parts, strict=True)
        ]
        context = condition.context.double().mean((2, 3)).numpy()
        found: np.ndarray = np.concatenate([*columns, np.log(context + self.floor)], axis=1)
        return found

    def _of(self, name: str, maps: xr.DataArray, dmo: xr.DataArray) -> xr.DataArray:
        match name:
            case "mass":
                return summaries.mass(maps, self.pixel_mpch)
            case "log_variance":
                return summaries.log_variance(maps)
            case "power":
                found = summaries.binned_power(maps, self.pixel_mpch)
                return found.copy(data=np.sqrt(found.values))
        return summaries.profile(maps, dmo)


def _compress(values: xr.DataArray, channel: Channel, n_pixels: int) -> np.ndarray:
    """Numbers ``(sample, number)`` of one channel, of which differences are comparable."""
    plain = values.transpose("sample", ...).values.reshape(values.sizes["sample"], -1)
    mean = torch.from_numpy(np.ascontiguousarray(plain, np.float64))
    found: np.ndarray = transform_of(channel).compress(mean, channel.floor, n_pixels).numpy()
    return found
