"""The reference: the model that comes with the package, and an example of what it is given.

Installed from a wheel it lies inside of the package (``emulator/reference``), in a checkout in
``data/reference``. The variable ``EMULATOR_MODEL`` names another default model.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emulator.config.section import expand_path
from emulator.data.example import EXAMPLE_FILE, read_example
from emulator.data.maps import Maps
from emulator.io import DataError
from emulator.model.bundle import bundles_in, read_card
from emulator.sampling.given.parameters import params_of_maps
from emulator.units import Unit

if TYPE_CHECKING:
    import xarray as xr

VARIABLE = "EMULATOR_MODEL"
"""Names the folder of the default model, where it is not the reference."""

_PACKAGE = Path(__file__).parents[1]
PLACES = (_PACKAGE / "reference", _PACKAGE.parent / "data/reference")
"""Where the reference may lie: in the package, or in the checkout."""

_COPIED = ("pixel_mpch", "depth_mpch", "redshift", "deposit", "periodic", "simulation", "notice")


def reference_folder() -> Path:
    """Folder of the reference.

    Raises
    ------
    DataError
        If it is not there.
    """
    for place in PLACES:
        if (place / "model.json").is_file():
            return place
    raise DataError(
        PLACES[-1], "the reference model", "no such bundle",
        f"Name a model: emulator.load('results/NAME/model'), or the variable {VARIABLE}. `make "
        "demo` trains one in ten minutes.",
    )  # fmt: skip


def default_model() -> Path:
    """Folder of the default model: that of ``EMULATOR_MODEL`` if it is set, else the reference.

    Raises
    ------
    DataError
        If neither is there.
    """
    named = os.environ.get(VARIABLE)
    return Path(expand_path(named)) if named else reference_folder()


def example_maps() -> Maps:
    """Maps of the example, with the true fields: beside the default model, or the reference's.

    Raises
    ------
    DataError
        If there is none.
    """
    folder = default_model()
    return read_example(folder if (folder / EXAMPLE_FILE).is_file() else reference_folder())


def example() -> "tuple[xr.DataArray, dict[str, float]]":
    """A held-out dark-matter-only box and its parameters, as ``emulator.sample`` takes them.

    Returns
    -------
    The map ``(y, x)`` [Msun/h per pixel] with its pixel, depth and redshift as attributes, and the
    parameters of the default model by name.

    Raises
    ------
    DataError
        If there is no default model, or no example.

    Examples
    --------
    >>> import emulator
    >>> box, params = emulator.example()
    >>> fields = emulator.sample(box, params, centres=[(40, 40)], n_members=16, seed=0)
    """
    import xarray as xr

    maps = example_maps()
    card = read_card(bundles_in(default_model())[0])
    centres = (np.arange(maps.n_pixels) + 0.5) * maps.pixel_mpch
    attrs = {"units": str(Unit.MASS_PER_PIXEL), "long_name": "dark matter of the DMO run"}
    attrs |= {name: maps.attrs[name] for name in _COPIED if name in maps.attrs}
    length = {"units": maps.domain.length}
    box = xr.DataArray(
        maps.select(maps.conditions)[0, 0],
        dims=("y", "x"),
        coords={axis: (axis, centres, length) for axis in ("y", "x")},
        name="dmo",
        attrs=attrs,
    )
    return box, params_of_maps(maps.params, list(card.normalisation.params))
