r"""Members as functions of condition and parameters, with gradients.

A member is :math:`F(c, \theta; z)` with its noise ``z`` held fixed (reparametrised): network,
solver and inverse transform are differentiable, so that the gradient is that of the member itself.
Two things are steps, and have no gradient:

* the noise is a *label* of the DMO fields (a hash): a gradient does not see that another field has
  other noise. To compare with finite differences give the noise a name (``noise_of``).
* a hurdle field is empty or not. The gradient is that of its amplitude where it is occupied, and
  zero elsewhere: of the field given which pixels are occupied.

Each evaluation of the network is checkpointed (Chen et al. 2016, arXiv:1604.06174): its activations
are computed again on the way back. What is held for a member is one noised field for each
evaluation, and the activations of one evaluation at a time.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d
from torch.utils.checkpoint import checkpoint

from emulator.data.condition import Condition
from emulator.data.cutouts import extract
from emulator.data.maps import Maps
from emulator.io import EmulatorError
from emulator.sampling.given.centres import Centres

LARGEST_BOX = 2**24
"""Pixels that float32 tells apart."""


def checkpointed(network: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The same network, whose activations are computed again in the backward pass."""

    def evaluate(*given: Tensor) -> Tensor:
        out: Tensor = checkpoint(network, *given, use_reentrant=False, preserve_rng_state=False)
        return out

    return evaluate


def detached(values: Any) -> Any:
    """Tensors without their gradients, in mappings and rows, too; all else as it is."""
    if isinstance(values, Tensor):
        return values.detach()
    if isinstance(values, dict):
        return {name: detached(value) for name, value in values.items()}
    return [detached(value) for value in values] if isinstance(values, list | tuple) else values


def with_gradients(
    prepared: Condition,
    condition: Any,
    params: Any,
    large_scale: Any,
    *,
    centres: Centres | None,
    factors: Sequence[int],
    names: Sequence[str],
    dtype: torch.dtype,
) -> Condition:
    """The prepared condition, as a function of the tensors that it was prepared from.

    Parameters
    ----------
    prepared
        Of the values of all that follows.
    condition, params, large_scale
        As the user passed them; what is a tensor gets gradients: a box or windows, their context,
        ``(param,)``, ``(sample, param)`` or values of a mapping.
    centres
        Of windows of a box.
    factors, names
        Of the context and of the parameters.
    dtype
        Of the network; parameters stay float64.
    """
    field, context = prepared.field.to(dtype), prepared.context.to(dtype)
    if isinstance(condition, Tensor):
        box = condition.cpu().to(dtype)
        if centres is None:
            field = box.reshape(field.shape)
        else:
            field, context = _cut(box, centres, field.shape[-1], factors)
    if isinstance(large_scale, Tensor):
        context = large_scale.cpu().to(dtype).reshape(context.shape)
    return Condition(field, context, _table(params, prepared.params, names))


def _cut(
    box: Tensor, centres: Centres, window: int, factors: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Windows and context of a box: the function that cuts is asked for the numbers of pixels."""
    if box.numel() > LARGEST_BOX:
        raise EmulatorError(
            f"condition: a box of {tuple(box.shape)} pixels is too large for gradients (at most "
            f"{LARGEST_BOX} pixels): pass windows and large_scale="
        )
    numbered = Maps.from_dmo(_numbers(*box.shape), factors)
    blocks = {f: _numbers(*(side // f for side in box.shape))[None] for f in factors}
    numbered = dataclasses.replace(numbered, context=blocks)
    levels = [avg_pool2d(box[None], f)[0].flatten() for f in factors]
    fields, contexts = [], []
    for centre in centres:
        cut = extract(numbered, 0, centre, window=window, context_factors=factors, species=())
        places = torch.from_numpy(cut.large_scale).long()
        around = [level[place] for level, place in zip(levels, places, strict=True)]
        fields.append(box.flatten()[torch.from_numpy(cut.condition).long()])
        contexts.append(torch.stack(around) if around else box.new_empty(0, window, window))
    return torch.stack(fields), torch.stack(contexts)


def _numbers(rows: int, columns: int) -> np.ndarray:
    numbers: np.ndarray = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    return numbers


def _table(params: Any, values: Tensor, names: Sequence[str]) -> Tensor:
    """Parameters ``(sample, param)`` float64; ``values`` where they are no tensors."""
    if isinstance(params, Tensor):
        return params.cpu().double().expand(values.shape)
    if isinstance(params, Mapping):
        columns = [
            params[name].cpu().double().expand(len(values))
            if isinstance(params.get(name), Tensor)
            else values[:, index]
            for index, name in enumerate(names)
        ]
        return torch.stack(columns, dim=1) if columns else values
    if isinstance(params, list | tuple) and any(isinstance(row, Mapping) for row in params):
        rows = [_table(row, values[[index]], names) for index, row in enumerate(params)]
        return torch.cat(rows).expand(values.shape)
    return values
