"""Values that leave a model: finite, of their sign, no mass above that of the matter around it."""

from collections.abc import Sequence

import numpy as np

from emulator.data.condition import Condition
from emulator.fields import Field
from emulator.io import EmulatorError


def require_possible(
    values: np.ndarray,
    condition: Condition,
    batch: Sequence[tuple[int, int]],
    fields: Sequence[Field],
    factors: Sequence[int],
) -> None:
    """Refuse values that no field can have.

    Those of every field are finite; of one that is not signed, zero or more; and a mass is no
    larger than all dark matter of the widest window.

    Parameters
    ----------
    values
        ``(batch, field, y, x)``, in the unit of each field.
    condition
        The windows of these rows; their context tells the matter around them.
    batch
        Sample and member of each row.
    fields
        What was drawn.
    factors
        Of the context windows, increasing.

    Raises
    ------
    EmulatorError
        Names samples, members and fields.
    """
    dimensions = condition.field.ndim - 1
    space = tuple(range(1, 1 + dimensions))
    around = condition.field.sum(dim=space).double().cpu().numpy()
    if factors:
        widest = condition.context[:, -1].double().sum(dim=space).cpu().numpy()
        around = np.maximum(around, factors[-1] ** dimensions * widest)
    pixels = tuple(range(2, values.ndim))
    low, high = values.min(axis=pixels), values.max(axis=pixels)
    least = np.array([-np.inf if field.signed else 0.0 for field in fields])
    most = np.where([field.adds_up for field in fields], around[:, None], np.inf)
    # a NaN makes both extremes NaN, and every comparison with NaN is false
    fits = np.isfinite(low) & np.isfinite(high) & (low >= least) & (high <= most)
    if fits.all():
        return
    bad = [(batch[row], fields[index].name) for row, index in np.argwhere(~fits)]
    listed = ", ".join(f"sample {i} member {k} ({name})" for (i, k), name in bad[:5])
    row, index = np.argwhere(~fits)[0]
    raise EmulatorError(
        f"the model drew values that cannot be: {low[row, index]:.4g} to {high[row, index]:.4g} "
        f"{fields[index].unit}{_beside(fields[index], around[row])}, in {listed}"
        f"{f', ... ({len(bad)} in all)' if len(bad) > 5 else ''}. The model is not trained enough, "
        "or the inputs are not of the kind that it was trained on"
    )


def _beside(field: Field, around: float) -> str:
    """What a value that cannot be is compared with."""
    if field.run == "array":
        return "" if field.signed else " where it is zero or more"
    return f" where all matter in the widest window is {around:.4g} Msun/h"
