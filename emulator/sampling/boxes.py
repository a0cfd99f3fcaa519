"""What every trained model does with whole boxes: paint them, and answer parameters there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.config import SamplingConfig
from emulator.model.card import ModelCard
from emulator.progress import Progress
from emulator.sampling.given.options import require_numbers
from emulator.sampling.inputs import Policy
from emulator.sampling.painting.box import Box
from emulator.sampling.painting.labels import Drawn
from emulator.sampling.painting.painter import Painter
from emulator.sampling.response import measure_response
from emulator.sampling.sums import check_sums, with_sums

if TYPE_CHECKING:
    import xarray as xr


class BoxEmulator(ABC):
    """Draws the fields of a hydrodynamic run for whole dark-matter-only boxes."""

    card: ModelCard
    """What the model was trained on, and how; of the first of several."""

    def paint(
        self,
        source: "np.ndarray | xr.DataArray | xr.Dataset | str | Path",
        params: Any = None,
        *,
        projection: str | None = None,
        n_members: int = 1,
        first_member: int = 0,
        seed: int = 0,
        overlap: float = 0.5,
        origin: tuple[int, int] = (0, 0),
        noise_of: str | None = None,
        constraints: Mapping[str, Any] | None = None,
        out_of_range: Policy = "raise",
        sampling: SamplingConfig | Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> "xr.Dataset":
        """Draw the fields of a whole periodic box.

        Windows of the trained size predict, their predictions are blended in every evaluation of
        the network, and the noise belongs to the cells of the box: no window shows in what is
        drawn.

        Parameters
        ----------
        source, projection
            See :func:`emulator.sampling.painting.source.read_source`: a DMO map ``(y, x)``
            [Msun/h per pixel] of the pixel and depth of the training, or a file of one.
        params
            See :meth:`BaseEmulator.sample`; one set. Default: those of a maps file.
        n_members, first_member, seed
            As of :meth:`sample`: member ``k`` is the same whatever is painted beside it. The noise
            does not depend on the parameters: members of one number at two parameter points differ
            by what the parameters do.
        overlap
            Share of a window that the next one covers again.
        origin
            Row and column of the box that the array begins with: an array that is rolled by
            ``(r, c)`` pixels has the origin ``(-r, -c)``, and gives the members rolled.
        noise_of
            A name for the noise: boxes of one name have the same, whatever their DMO fields.
            Default: noise is a function of the DMO field.
        constraints
            Known masses of the box [Msun/h], as of :meth:`sample`.
        out_of_range, sampling, progress
            As of :meth:`sample`.

        Returns
        -------
        Dataset with ``fields (member, channel, y, x)`` in the units of the fields, the condition,
        the parameters and the seed; ``condition_score (window)`` of the windows that predict, if
        the bundle knows its training (see :meth:`sample`).

        Raises
        ------
        EmulatorError
            For maps and parameters that do not fit the model (what it was trained on is compared
            with what the map says of itself, and its mean with that of the universe), and for all
            that :meth:`sample` refuses.
        """
        require_numbers(n_members=n_members, first_member=first_member, seed=seed)
        fields = [channel.field for channel in self.card.normalisation.channels]
        sums = check_sums(constraints, fields, 1)
        painter = Painter(
            self, source, params, projection=projection, seed=seed, overlap=overlap, origin=origin,
            noise_of=noise_of, out_of_range=out_of_range, sampling=sampling,
        )  # fmt: skip
        numbers = list(range(first_member, first_member + n_members))
        line = Progress("paint", painter.passes * n_members) if progress else None
        values = np.stack([painter.draw(number, line) for number in numbers])
        painted = painter.label(values, numbers)
        if not sums:
            return painted
        held = with_sums(painted.expand_dims("sample"), sums, fields, out_of_range)
        return held.isel(sample=0, drop=True)

    def response(
        self,
        source: "np.ndarray | xr.DataArray | xr.Dataset | str | Path",
        params: Any = None,
        *,
        vary: Mapping[str, Sequence[float]],
        summaries: Sequence[str] = ("mass", "variance", "power"),
        projection: str | None = None,
        n_members: int = 4,
        seed: int = 0,
        overlap: float = 0.5,
        out_of_range: Policy = "raise",
        sampling: SamplingConfig | Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> "xr.Dataset":
        """What parameters do to summaries of a box, one at a time and with common noise.

        Parameters
        ----------
        source, params, projection, n_members, seed, overlap, out_of_range, sampling, progress
            See :meth:`paint`; two members or more.
        vary
            Values by the name of a parameter: ``{"A_SN1": [0.5, 2.0]}``.
        summaries
            Some of ``mass``, ``variance`` and ``power`` of every field.

        Returns
        -------
        See :func:`emulator.sampling.response.measure_response`: ``power_response (point, channel,
        k)`` is the mean of ln(P / P_fiducial) over members, ``power_error`` its standard error.

        Raises
        ------
        EmulatorError
            For what :meth:`paint` refuses, and for unknown parameters and summaries.
        """
        options: dict[str, Any] = {
            "seed": seed, "overlap": overlap, "out_of_range": out_of_range, "sampling": sampling,
        }  # fmt: skip
        require_numbers(n_members=n_members, seed=seed)
        fiducial = Painter(self, source, params, projection=projection, **options)

        def painter(point: Any) -> Painter:
            # of the map that is read already: a snapshot is not projected for every point
            return Painter(self, fiducial.field, point, **options)

        return measure_response(
            painter, fiducial.params, vary, n_members=n_members, summaries=summaries,
            progress=progress,
        )  # fmt: skip

    @abstractmethod
    def options_for(self, asked: SamplingConfig | None) -> SamplingConfig:
        """Options that members are drawn with where the caller asks for these."""

    @abstractmethod
    def passes(self, options: SamplingConfig) -> int:
        """Evaluations of the network that a member takes."""

    @abstractmethod
    def drawn_by(self, member: int, options: SamplingConfig) -> Drawn:
        """Which model a member is of."""

    @abstractmethod
    def paint_member(
        self, box: Box, member: int, seed: int, options: SamplingConfig, progress: Progress | None
    ) -> np.ndarray:
        """Fields ``(channel, y, x)`` of a whole box; see :meth:`paint`."""
