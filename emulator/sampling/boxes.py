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
from emulator.sampling.painting.box import Box, Periodic
from emulator.sampling.painting.labels import Drawn
from emulator.sampling.painting.modes import Mode, build_painter
from emulator.sampling.painting.painter import Painter
from emulator.sampling.painting.paste import Halos
from emulator.sampling.response import measure_response

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
        slabs: bool = False,
        drop_remainder: bool = False,
        mode: Mode = "blend",
        halos: Halos | None = None,
        mass_threshold: float | None = None,
        r_in: float | None = None,
        r_out: float | None = None,
        n_members: int = 1,
        first_member: int = 0,
        seed: int = 0,
        overlap: float = 0.5,
        periodic: Periodic | None = None,
        origin: tuple[int, int] = (0, 0),
        noise_of: str | None = None,
        constraints: Mapping[str, Any] | None = None,
        out_of_range: Policy = "raise",
        sampling: SamplingConfig | Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> "xr.Dataset":
        """Draw the fields of a whole box, or of a patch of one.

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
        slabs, drop_remainder
            Paint all slabs of the trained depth along the axis ``projection`` at once, each with
            noise of its own (:mod:`emulator.sampling.painting.slabs`): of an array ``(slab, y,
            x)``, a maps file or a snapshot; of the last, ``drop_remainder`` leaves out the end of a
            box that is no multiple of the depth.
        mode
            ``blend``; or ``halos``: windows around halos, pasted upon the cosmic shares of the DMO
            map (:mod:`emulator.sampling.painting.halos`).
        halos, mass_threshold, r_in, r_out
            Of mode ``halos``: the halos [default: those of the maps file], the least M200c [1e13
            Msun/h], and the radii between which a window fades [2.5 and 3 R200c].
        n_members, first_member, seed
            As of :meth:`sample`: member ``k`` is the same whatever is painted beside it. The noise
            does not depend on the parameters: members of one number at two parameter points differ
            by what the parameters do.
        overlap
            Share of a window that the next one covers again.
        periodic
            Whether opposite edges of the map touch; a pair for y and x, if they differ. Where they
            do not, the part is painted that has its surroundings on the map
            (:mod:`emulator.sampling.painting.edges`). Default: what the attributes of the source
            say (``periodic``), else True.
        origin
            Row and column of the box that the array begins with: an array that is rolled by
            ``(r, c)`` pixels has the origin ``(-r, -c)``, and gives the members rolled. A patch
            that was cut out of a box at ``(r, c)`` has the origin ``(r, c)``: it gets the noise of
            its box (of the same ``noise_of``), and windows of the same lattice.
        noise_of
            A name for the noise: boxes of one name have the same, whatever their DMO fields.
            Default: noise is a function of the DMO field.
        constraints
            Known masses of the box [Msun/h], as of :meth:`sample`; not of slabs.
        out_of_range, sampling, progress
            As of :meth:`sample`.

        Returns
        -------
        Dataset with ``fields (member, channel, y, x)`` in the units of the fields (with slabs
        ``(member, slab, channel, y, x)``, which ``.sum("slab")`` adds up), the condition, the
        masses of the members (:func:`emulator.sampling.painting.budget.add_budget`), the parameters
        and the seed; ``y`` and ``x`` are places on the map that was given, attribute ``origin`` the
        pixel of the box that the fields begin with; ``condition_score (window)`` of the windows
        that predict, if the bundle knows its training (see :meth:`sample`).

        Raises
        ------
        EmulatorError
            For maps and parameters that do not fit the model (what it was trained on is compared
            with what the map says of itself, and its mean with that of the universe), and for all
            that :meth:`sample` refuses.
        """
        require_numbers(n_members=n_members, first_member=first_member, seed=seed)
        painter = build_painter(
            self, source, params, mode=mode, slabs=slabs, drop_remainder=drop_remainder,
            of_halos={
                "halos": halos, "mass_threshold": mass_threshold, "r_in": r_in, "r_out": r_out
            },
            constraints=constraints, projection=projection, seed=seed, overlap=overlap,
            periodic=periodic, origin=origin, noise_of=noise_of, out_of_range=out_of_range,
            sampling=sampling,
        )  # fmt: skip
        numbers = list(range(first_member, first_member + n_members))
        line = Progress("paint", painter.passes * n_members) if progress else None
        values = np.stack([painter.draw(number, line) for number in numbers])
        return painter.label(values, numbers)

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
        periodic: Periodic | None = None,
        out_of_range: Policy = "raise",
        sampling: SamplingConfig | Mapping[str, Any] | None = None,
        progress: bool = False,
    ) -> "xr.Dataset":
        """What parameters do to summaries of a box, one at a time and with common noise.

        Parameters
        ----------
        source, params, projection, n_members, seed
            See :meth:`paint`; two members or more.
        overlap, periodic, out_of_range, sampling, progress
            See :meth:`paint`.
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
        fiducial = Painter(
            self, source, params, projection=projection, periodic=periodic, **options
        )
        options["periodic"] = fiducial.box.periodic

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
