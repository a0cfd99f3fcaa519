"""Paints halos alone: windows around them, pasted upon what follows the dark matter.

The other way to a box, for comparison. Outside of halos dark matter and gas are their cosmic shares
of the DMO map, and there are no stars. What baryons do beyond ``r_out`` R200c, and around halos
below the threshold, is not in it.
"""

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from emulator.config import SamplingConfig
from emulator.data.maps import read_maps
from emulator.io import DataError, EmulatorError
from emulator.model.field_transform import cosmic_reference
from emulator.progress import Progress
from emulator.sampling.painting.painter import Painter, Paints
from emulator.sampling.painting.paste import Halos, Taper, halo_centres, paste, require_halos

if TYPE_CHECKING:
    from pathlib import Path

    import xarray as xr

MASS_THRESHOLD = 1.0e13
"""Halos that are pasted, from this M200c on [Msun/h]."""


class Draws(Paints, Protocol):
    """A model that draws windows, too."""

    def sample(
        self,
        condition: np.ndarray,
        params: Any,
        *,
        centres: Any,
        n_members: int,
        first_member: int,
        seed: int,
        noise_of: Any,
        out_of_range: Any,
        sampling: SamplingConfig | None,
    ) -> "xr.Dataset":
        """See :meth:`emulator.sampling.base.BaseEmulator.sample`."""


class HaloPainter(Painter):
    """A model before the halos of a periodic box.

    Parameters
    ----------
    model
        Trained.
    source, params, projection, options
        See :meth:`emulator.sampling.base.BaseEmulator.paint`.
    halos
        Where they lie on the map; default: those of the maps file.
    mass_threshold
        Lightest M200c [Msun/h].
    r_in, r_out
        Where a window begins and ends to fade [R200c].

    Raises
    ------
    EmulatorError
        See there; a source without halos, halos that no window holds, open edges, fields that have
        no background.
    """

    def __init__(
        self,
        model: Draws,
        source: Any,
        params: Any = None,
        *,
        projection: str | None = None,
        halos: Halos | None = None,
        mass_threshold: float = MASS_THRESHOLD,
        r_in: float = Taper().r_in,
        r_out: float = Taper().r_out,
        **options: Any,
    ) -> None:
        super().__init__(model, source, params, projection=projection, **options)
        if not all(self.box.periodic):
            raise EmulatorError("paint: mode halos is of periodic boxes; paint a patch by blending")
        self.draws, self.taper = model, Taper(r_in, r_out)
        self.out_of_range, self.asked = (
            options.get("out_of_range", "raise"),
            options.get("sampling"),
        )
        self.noise_of = options.get("noise_of")
        grid, shape = model.card.matter_grid, self.box.tiles.shape
        found = halos_of(source, projection) if halos is None else halos
        chosen = np.asarray(found.m200c) >= mass_threshold
        found = Halos(*(np.asarray(part)[chosen] for part in found))
        found = require_halos(found, self.taper, grid.window, grid.pixel_mpch, shape)
        # in the place of the box, as its condition
        sides = np.array(shape) * grid.pixel_mpch
        moved = (found.position + np.array(self.box.origin) * grid.pixel_mpch) % sides
        self.halos = found._replace(position=moved)
        self.mass_threshold = mass_threshold
        self.background = _background(self)

    @property
    def passes(self) -> int:
        """Windows that the network sees for a member."""
        return len(self.halos.m200c) * self.model.passes(self.options)

    def draw(self, member: int, progress: Progress | None = None) -> np.ndarray:
        """One member, ``(channel, y, x)``."""
        grid = self.model.card.matter_grid
        box = self.box.condition.field[0].numpy()
        centres = halo_centres(self.halos, grid.pixel_mpch, box.shape)
        names = None
        if self.noise_of is not None:
            names = [f"{self.noise_of} halo at {row} {column}" for row, column in centres]
        windows = np.empty((0, len(self.background), grid.window, grid.window), np.float32)
        if centres:
            drawn = self.draws.sample(
                box, self.params, centres=centres, n_members=1, first_member=member,
                seed=self.seed, noise_of=names, out_of_range=self.out_of_range, sampling=self.asked,
            )  # fmt: skip
            windows = drawn["fields"].values[:, 0]
        if progress is not None:
            progress.advance(self.passes)
        pasted = paste(self.background, windows, self.halos, self.taper, grid.pixel_mpch)
        return self.box.as_given(pasted)

    def label(self, values: np.ndarray, members: list[int]) -> "xr.Dataset":
        """Dataset of members ``(member, channel, y, x)``."""
        return super().label(values, members).assign_attrs(
            mode="halos", n_halos=len(self.halos.m200c), mass_threshold=self.mass_threshold,
            r_in=self.taper.r_in, r_out=self.taper.r_out,
        )  # fmt: skip


def halos_of(source: "np.ndarray | xr.DataArray | str | Path", projection: str | None) -> Halos:
    """Halos of a maps file on one of its maps.

    Raises
    ------
    DataError
        For any other source: halos must be passed.
    """
    if not str(source).endswith(".h5"):
        raise DataError(
            "halos", "a table (halos=), or a maps file (.h5), which holds its halos", "neither",
        )  # fmt: skip
    maps = read_maps(str(source), lazy=True)
    label = maps.projections[0] if projection is None else projection
    axis, slab = "xyz".index(label[0]), label[1:]
    position = maps.halo_position % float(maps.attrs["box_size_mpch"])
    inside = np.ones(len(position), bool)
    if slab:
        inside = position[:, axis] // float(maps.attrs["depth_mpch"]) == int(slab)
    along = [other for other in range(3) if other != axis]
    return Halos(position[inside][:, along], maps.halo_m200c[inside], maps.halo_r200c[inside])


def _background(painter: Painter) -> np.ndarray:
    """Dark matter and gas that follow the DMO map, and no stars: ``(channel, y, x)``."""
    normalisation, condition = painter.model.card.normalisation, painter.box.condition
    fraction = normalisation.baryon_fraction(condition.params).float()
    parts = []
    for channel in normalisation.channels:
        field = channel.field
        if not field.sparse and field.share is None:
            raise EmulatorError(
                f"paint: mode halos has no background for {field.name}, which is no share of the "
                "matter; paint it by blending"
            )
        share = cosmic_reference(condition.field, fraction, field)[0]
        parts.append(torch.zeros_like(share) if field.sparse else share)
    return torch.stack(parts).numpy()
