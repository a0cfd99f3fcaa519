"""Arrays of numbers: what NumPy would take without a word and nobody means is refused."""

from typing import Any

import numpy as np
import torch

from emulator.io import EmulatorError

_FILL = {
    "observed": "pass array.filled(nan): NaN is what is not known",
    "params": "pass None for what is not known",
}


def plain_array(values: Any, name: str) -> np.ndarray:
    """An array of real numbers, as it is given.

    Parameters
    ----------
    values
        Whatever NumPy makes an array of; a tensor.
    name
        Of the argument, for messages.

    Raises
    ------
    EmulatorError
        Masked pixels, complex numbers, text or objects, units that nobody has converted, rows of
        different lengths, a tensor with a gradient, or nothing at all.
    """
    array = _as_array(values, name)
    if array.dtype.kind not in "iuf":
        raise EmulatorError(
            f"{name}: expected real numbers, got an array of dtype {array.dtype}: convert it first "
            "(array.astype(float); of complex numbers the real part)"
        )
    if array.size == 0:
        raise EmulatorError(f"{name}: expected values, got an empty array of shape {array.shape}")
    return array


def _as_array(values: Any, name: str) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        if values.requires_grad:
            raise EmulatorError(
                f"{name}: got a tensor with a gradient: pass differentiable=True to sample(), or "
                "tensor.detach()"
            )
        values = values.cpu()
        array: np.ndarray = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
        return array
    _refuse_masked(values, name)
    if _has_unit(values):
        raise EmulatorError(
            f"{name}: got a quantity with the unit {getattr(values, 'unit', None) or values.units}"
            ", which is not read here: pass its numbers in the unit that the documentation names"
        )
    try:
        array = np.asarray(getattr(values, "data", values) if _is_masked(values) else values)
    except ValueError as error:
        raise EmulatorError(f"{name}: expected an array of numbers ({error})") from error
    return array


def _is_masked(values: Any) -> bool:
    return isinstance(values, np.ma.MaskedArray)


def _refuse_masked(values: Any, name: str) -> None:
    mask = values.mask if _is_masked(values) or hasattr(values, "unmasked") else False
    n_masked = int(np.count_nonzero(mask))
    if n_masked:
        remedy = _FILL.get(name, "pass array.filled(0.0) where a masked pixel means no mass")
        raise EmulatorError(
            f"{name}: {n_masked} of {np.size(values)} values are masked, and a model needs them "
            f"all: {remedy}, or values for them"
        )


def _has_unit(values: Any) -> bool:
    """Whether NumPy would drop a unit; labels of xarray are read where they matter."""
    if hasattr(values, "attrs"):
        return False
    return hasattr(values, "to_value") or hasattr(values, "units")
