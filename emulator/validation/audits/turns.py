"""Windows turned and mirrored, and fields turned back."""

import numpy as np
import xarray as xr

from emulator.data.symmetries import N_ORIENTATIONS, orient


def orientation_of(sample: int) -> int:
    """Every turn and mirror but the identity, one after the other."""
    return 1 + sample % (N_ORIENTATIONS[2] - 1)


def inverse_of(orientation: int) -> int:
    """The orientation that undoes another: a mirror undoes itself, a turn is turned back."""
    return orientation if orientation >= 4 else -orientation % 4


def turned(values: xr.DataArray, *, back: bool = False) -> xr.DataArray:
    """Fields ``(sample, ..., y, x)``, every sample turned by its orientation, or turned back."""
    ordered = values.transpose("sample", ..., "y", "x")
    numbers = [orientation_of(i) for i in range(ordered.sizes["sample"])]
    rows = [
        orient(each, inverse_of(number) if back else number)
        for each, number in zip(ordered.values, numbers, strict=True)
    ]
    return ordered.copy(data=np.stack(rows))
