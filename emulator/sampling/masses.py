"""Masses that leave a model: finite, and none larger than the matter around it."""

from collections.abc import Sequence

import numpy as np

from emulator.io import EmulatorError
from emulator.sampling.inputs import Inputs


def require_possible_masses(
    masses: np.ndarray,
    inputs: Inputs,
    batch: Sequence[tuple[int, int]],
    channels: Sequence[str],
    factors: Sequence[int],
) -> None:
    """Refuse masses that are not finite, or larger than all dark matter of the widest window.

    Parameters
    ----------
    masses
        ``(batch, field, y, x)`` [Msun/h per pixel].
    inputs
        The windows; their context tells the matter around them.
    batch
        Sample and member of each row.
    channels
        Names of the fields.
    factors
        Of the context windows, increasing.

    Raises
    ------
    EmulatorError
        Names samples, members and fields.
    """
    rows = [i for i, _ in batch]
    around = inputs.condition[rows].sum(axis=(1, 2), dtype=np.float64)
    if factors:
        widest = inputs.large_scale[rows, -1].sum(axis=(1, 2), dtype=np.float64)
        around = np.maximum(around, factors[-1] ** 2 * widest)
    # a NaN makes the maximum NaN, and every comparison with NaN is false
    fits = (masses.min(axis=(2, 3)) >= 0) & (masses.max(axis=(2, 3)) <= around[:, None])
    if fits.all():
        return
    bad = [(batch[row], channels[field]) for row, field in np.argwhere(~fits)]
    listed = ", ".join(f"sample {i} member {k} ({name})" for (i, k), name in bad[:5])
    row, field = np.argwhere(~fits)[0]
    raise EmulatorError(
        f"the model drew masses that cannot be: up to {masses[row, field].max():.4g} Msun/h in a "
        f"pixel where all matter in the widest window is {around[row]:.4g}, in {listed}"
        f"{f', ... ({len(bad)} in all)' if len(bad) > 5 else ''}. The model is not trained enough, "
        "or the inputs are not of the kind that it was trained on"
    )
