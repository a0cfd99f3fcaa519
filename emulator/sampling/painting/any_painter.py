"""What every painter can do, of one map or of several: draw members, and label them."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from emulator.progress import Progress
from emulator.sampling.painting.budget import without_budget

if TYPE_CHECKING:
    import xarray as xr


class AnyPainter(ABC):
    """A model before what it paints."""

    @property
    @abstractmethod
    def passes(self) -> int:
        """Windows that the network sees for a member."""

    @abstractmethod
    def draw(self, member: int, progress: Progress | None = None) -> np.ndarray:
        """One member, ``(..., channel, y, x)``."""

    @property
    @abstractmethod
    def nothing(self) -> np.ndarray:
        """A member that is zero everywhere, ``(1, ..., channel, y, x)``, for labels alone."""

    @abstractmethod
    def label(self, values: np.ndarray, members: list[int]) -> "xr.Dataset":
        """Dataset of members ``(member, ..., channel, y, x)``."""

    def describe(self, members: list[int]) -> "xr.Dataset":
        """What :meth:`label` says of members whose fields and masses are left open.

        Fields are zero and take no memory; masses are left out.
        """
        shape = (len(members), *self.nothing.shape[1:])
        return without_budget(self.label(np.broadcast_to(self.nothing, shape), members))
