"""What inference asks of a model; :class:`emulator.sampling.base.BaseEmulator` does it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from emulator.config import SamplingConfig
from emulator.fields import Field
from emulator.model.card import ModelCard

if TYPE_CHECKING:
    import xarray as xr


class Model(Protocol):
    """Draws fields for conditions and parameters, and compares parameters by fields."""

    card: ModelCard

    @property
    def fields(self) -> tuple[Field, ...]:
        """Rows of the fields that are drawn."""

    @property
    def parts(self) -> "Sequence[Model]":
        """The models that this one draws from."""

    def sample(
        self,
        condition: np.ndarray,
        params: Any,
        *,
        large_scale: np.ndarray,
        n_members: int,
        seed: int,
        noise_of: Sequence[str],
        out_of_range: Any,
        sampling: SamplingConfig | Mapping[str, Any] | None,
    ) -> "xr.Dataset":
        """Fields ``(sample, member, channel, y, x)``, a row of parameters for every window."""

    def compare_params(
        self,
        fields: np.ndarray,
        condition: np.ndarray,
        params: np.ndarray,
        points: np.ndarray,
        *,
        large_scale: np.ndarray,
        noise: float,
        n_noise: int,
        seed: int,
        out_of_range: Any,
        progress: bool,
    ) -> "xr.Dataset":
        """``log_likelihood (sample, point)`` [nats] with common noise, up to a constant."""
