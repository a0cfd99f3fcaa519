"""Training batches in the order of a model: its fields, parameters and context windows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from emulator.data.dataset import WindowDataset
from emulator.data.maps import Maps
from emulator.model.normalisation import Normalisation


def windows_for(
    normalisation: Normalisation, simulations: Sequence[Maps], **options: Any
) -> WindowDataset:
    """Dataset of windows for a model.

    Parameters
    ----------
    normalisation
        Of the model.
    simulations, options
        As :class:`~emulator.data.dataset.WindowDataset`.

    Raises
    ------
    EmulatorError
        If a simulation lacks a parameter of the model.
    """
    return WindowDataset(
        simulations,
        params=np.stack([normalisation.order_params(maps.params) for maps in simulations]),
        targets=[channel.name for channel in normalisation.channels],
        context_factors=normalisation.context_factors,
        **options,
    )
