"""Paints a box, member by member."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from emulator.config import SamplingConfig
from emulator.model.card import ModelCard
from emulator.progress import Progress
from emulator.sampling.cf import describe
from emulator.sampling.condition_score import check_conditions
from emulator.sampling.given.arrays import plain_array
from emulator.sampling.given.options import as_sampling
from emulator.sampling.given.parameters import params_beside
from emulator.sampling.inputs import Policy
from emulator.sampling.painting.any_painter import AnyPainter
from emulator.sampling.painting.box import Box, Periodic, prepare_box
from emulator.sampling.painting.labels import Drawn, label_box
from emulator.sampling.painting.scores import label_box_scores
from emulator.sampling.painting.source import read_source

if TYPE_CHECKING:
    import xarray as xr


class Paints(Protocol):
    """A model, or several that draw as one."""

    card: ModelCard

    def options_for(self, asked: SamplingConfig | None) -> SamplingConfig:
        """Options that members are drawn with."""

    def passes(self, options: SamplingConfig) -> int:
        """Evaluations of the network that a member takes."""

    def drawn_by(self, member: int, options: SamplingConfig) -> Drawn:
        """Which model a member is of."""

    def paint_member(
        self, box: Box, member: int, seed: int, options: SamplingConfig, progress: Progress | None
    ) -> np.ndarray:
        """Fields ``(channel, y, x)`` of a box."""


class Painter(AnyPainter):
    """A model before a box: all is checked when it is made, and then members are drawn.

    Parameters
    ----------
    model
        Trained.
    source, params, projection, seed, overlap, periodic, origin, noise_of, out_of_range, sampling
        See :meth:`emulator.sampling.base.BaseEmulator.paint`.

    Attributes
    ----------
    field
        The DMO map ``(y, x)`` as it was given [Msun/h per pixel].

    Raises
    ------
    EmulatorError
        See there.
    """

    def __init__(
        self,
        model: Paints,
        source: Any,
        params: Any = None,
        *,
        projection: str | None = None,
        seed: int = 0,
        overlap: float = 0.5,
        periodic: Periodic | None = None,
        origin: tuple[int, int] = (0, 0),
        noise_of: str | None = None,
        out_of_range: Policy = "raise",
        sampling: SamplingConfig | Mapping[str, Any] | None = None,
    ) -> None:
        card = model.card
        if isinstance(source, np.ndarray):
            source = plain_array(source, "map")
        field, own, says_periodic = read_source(source, card.matter_grid, projection)
        params = params_beside(own, params, card, str(getattr(source, "name", "map")))
        if periodic is None:
            periodic = says_periodic
        self.model, self.seed, self.field = model, seed, field
        self.box = prepare_box(
            field, params, card.normalisation, card.matter_grid,
            overlap=overlap, periodic=periodic, origin=origin, noise_of=noise_of,
            out_of_range=out_of_range,
        )  # fmt: skip
        card.require_trained_without(self.box.condition.params)
        self.scores = check_conditions(self.box.windows(), card, out_of_range)
        self.options = model.options_for(as_sampling(sampling))

    @property
    def params(self) -> dict[str, float]:
        """Parameters of the box by name; NaN where unknown."""
        names = self.model.card.normalisation.params
        values = self.box.condition.params[0].tolist()
        return dict(zip(names, values, strict=True))

    @property
    def passes(self) -> int:
        """Windows that the network sees for a member."""
        return len(self.box.tiles.corners) * self.model.passes(self.options)

    def draw(self, member: int, progress: Progress | None = None) -> np.ndarray:
        """One member, ``(channel, y, x)``."""
        drawn = self.model.paint_member(self.box, member, self.seed, self.options, progress)
        return self.box.as_given(drawn)

    @property
    def nothing(self) -> np.ndarray:
        """A member that is zero everywhere, ``(1, channel, y, x)``, for labels alone."""
        n_channels = len(self.model.card.normalisation.channels)
        return np.zeros((1, n_channels, *self.box.tiles.shape), np.float32)

    def label(self, values: np.ndarray, members: list[int]) -> "xr.Dataset":
        """Dataset of members ``(member, channel, y, x)``."""
        drawn = [self.model.drawn_by(member, self.options) for member in members]
        card = self.model.card
        painted = label_box(values, self.box, members, self.seed, self.options, card, drawn)
        return describe(label_box_scores(painted, self.box, self.scores))
