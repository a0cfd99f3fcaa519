"""The example drawn by the default model, with the truth beside it."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import uniform_filter

from emulator.data.cutouts import extract
from emulator.sampling.loading import sample
from emulator.sampling.reference import example, example_maps
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr


def draw_example(n_members: int, seed: int) -> "xr.Dataset":
    """Draw the window of the example that holds most dark matter.

    Returns
    -------
    The Dataset of :meth:`~emulator.sampling.base.BaseEmulator.sample`, with ``truth (sample,
    channel, y, x)`` [Msun/h per pixel].

    Raises
    ------
    EmulatorError
        If there is no default model or no example, or the model does not fit it.
    """
    (box, params), maps = example(), example_maps()
    smooth = uniform_filter(box.values.astype(float), size=box.sizes["x"] // 8, mode="wrap")
    row, column = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    centre = (int(row), int(column))
    drawn = sample(box, params, centres=[centre], n_members=n_members, seed=seed)
    channels = [str(name) for name in drawn["channel"].values]
    cut = extract(maps, 0, centre, window=drawn.sizes["x"], context_factors=(), species=channels)
    unit = {"units": str(Unit.MASS_PER_PIXEL)}
    truth = (("sample", "channel", "y", "x"), cut.target[None], unit)
    return drawn.assign(truth=truth).assign_attrs(simulation=maps.attrs["simulation"])
