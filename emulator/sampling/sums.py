r"""Known sums of mass: members that hold them, by the least change of a member.

Of a member :math:`x \ge 0` whose mass should be ``M``,

.. math:: x' = x \, M / \sum_i x_i

has the least divergence :math:`\sum_i x'_i \ln(x'_i / x_i) - x'_i + x_i` of all fields that hold
the sum: it is the I-projection onto them (with the multiplier of the sum,
:math:`\ln(x'_i / x_i) = \lambda`). So logarithms move by one number, which is also the least that
the largest move can be; empty pixels stay empty, ratios between pixels and between the fields of a
sum stay, and a member that holds the sum already is not changed. The sum is exact to the rounding
of the pixels.

It is *no conditioning*: given its sum, a draw of :math:`p(x | M)` would move most where the
model knows least, and halos less than their surroundings. One number for a window also takes out of
its ensemble what really left the window, where ``M`` does not say so. So sums are held where they
are asked for, and nowhere else; the factors are in the result.

References
----------
Csiszar (1975), "I-divergence geometry of probability distributions and minimization problems",
Annals of Probability 3, 146.
"""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from emulator.fields import Field
from emulator.io import EmulatorError
from emulator.sampling.given.arrays import plain_array
from emulator.sampling.given.parameters import Policy

if TYPE_CHECKING:
    import xarray as xr

TOTAL = "total"
"""Name of the sum of all masses."""

FACTOR = "sum_factor"
"""Variable of the factors that members were scaled by."""

PLAUSIBLE = 10.0
"""Factors between its inverse and this are taken for what a member may be off."""

Sums = dict[str, np.ndarray]
"""Mass [Msun/h] by field or ``total``, of every sample."""


def check_sums(constraints: Any, fields: Sequence[Field], n_samples: int) -> Sums:
    """Known sums, a number for each sample.

    Parameters
    ----------
    constraints
        Mapping of names of masses, or ``total``, the sum of all of them, to mass [Msun/h] in a
        window: one number, or one for each sample. None: none.
    fields
        That are drawn.
    n_samples
        Windows.

    Returns
    -------
    In the order ``total``, then that of the fields.

    Raises
    ------
    EmulatorError
        Names of no mass, a total beside all its parts or below their sum, another number of values
        than of samples, values that are not positive.
    """
    if constraints is None:
        return {}
    masses = [field.name for field in fields if field.adds_up]
    names = [TOTAL, *masses]
    if not isinstance(constraints, Mapping):
        raise EmulatorError(
            f"constraints: expected a mapping of {', '.join(names)} to mass in Msun/h, got "
            f"{constraints!r}"
        )
    if unknown := [name for name in constraints if name not in names]:
        raise EmulatorError(
            f"constraints: expected masses in Msun/h of {', '.join(names)}, got one of "
            f"{', '.join(map(str, unknown))}"
        )
    sums = {
        name: _of_samples(constraints[name], name, n_samples)
        for name in names
        if name in constraints
    }
    parts = [name for name in masses if name in sums]
    if TOTAL not in sums:
        return sums
    if parts == masses:
        raise EmulatorError(
            f"constraints: {TOTAL} beside all its parts ({', '.join(masses)}): leave one out"
        )
    if parts and (sums[TOTAL] <= sum(sums[name] for name in parts)).any():
        raise EmulatorError(
            f"constraints: {TOTAL} must be larger than the sum of {', '.join(parts)}"
        )
    return sums


def hold_sums(
    members: Tensor,
    sums: Sums,
    fields: Sequence[Field],
    policy: Policy = "raise",
    *,
    first_member: int = 0,
) -> tuple[Tensor, Tensor]:
    """Members that hold known sums.

    Parameters
    ----------
    members
        ``(sample, member, channel, y, x)`` in the units of the fields.
    sums
        See :func:`check_sums`. A total is reached by the masses that have no sum of their own.
    fields
        Of the channels.
    policy
        What to do with factors beyond :data:`PLAUSIBLE`.
    first_member
        Number of the first member, for messages.

    Returns
    -------
    Members of the same shape and dtype, and the factors ``(sum, sample, member)``, float64, in the
    order of ``sums``.

    Raises
    ------
    EmulatorError
        A member without any mass to scale, or factors that no error of a model explains.
    """
    masses = [i for i, field in enumerate(fields) if field.adds_up]
    factors = torch.ones(members.shape[:3], dtype=torch.float64, device=members.device)
    held = members.double().sum(dim=(-2, -1))
    found = {}
    # the total is what is left to the other masses
    for name in sorted(sums, key=lambda name: name == TOTAL):
        wanted = torch.from_numpy(sums[name]).to(factors)[:, None]
        own = [i for i in masses if fields[i].name == name]
        if name == TOTAL:
            own = [i for i in masses if fields[i].name not in sums]
            fixed = [i for i in masses if i not in own]
            wanted = wanted - (factors * held)[:, :, fixed].sum(-1)
        found[name] = wanted / held[:, :, own].sum(-1)
        _require_plausible(found[name], name, policy, first_member)
        factors = factors.clone()
        factors[:, :, own] = found[name][..., None]
    scaled = (members.double() * factors[..., None, None]).to(members.dtype)
    return scaled, torch.stack([found[name] for name in sums])


def with_sums(
    ensemble: "xr.Dataset", sums: Sums, fields: Sequence[Field], policy: Policy = "raise"
) -> "xr.Dataset":
    """An ensemble whose members hold known sums; ``sum_factor (sum, sample, member)`` says how."""
    values = torch.from_numpy(ensemble["fields"].values)
    held, factors = hold_sums(values, sums, fields, policy)
    said = {name: value.tolist() for name, value in sums.items()}
    variables: dict[str, Any] = {
        "fields": ensemble["fields"].copy(data=held.numpy()),
        FACTOR: (("sum", "sample", "member"), factors.numpy(), {"units": "1"}),
    }
    assigned = ensemble.assign(variables).assign_coords(sum=list(sums))
    return assigned.assign_attrs(constraints=json.dumps(said))


def _of_samples(value: Any, name: str, n_samples: int) -> np.ndarray:
    array = plain_array(value, f"constraints: {name}").astype(np.float64)
    if array.shape not in ((), (n_samples,)):
        each = "" if n_samples == 1 else f" or {n_samples}, one for each sample"
        raise EmulatorError(
            f"constraints: {name}: expected one number{each}, got shape {array.shape}"
        )
    if not ((array > 0) & (array < math.inf)).all():
        raise EmulatorError(f"constraints: {name}: expected a positive mass, got {array.min():g}")
    return np.array(np.broadcast_to(array, (n_samples,)))


def _require_plausible(factors: Tensor, name: str, policy: Policy, first_member: int) -> None:
    values = factors.detach()
    if not bool(torch.isfinite(values).all()):
        sample, member = torch.argwhere(~torch.isfinite(values))[0].tolist()
        raise EmulatorError(
            f"constraints: {name}: member {first_member + member} of sample {sample} holds no "
            "mass that could be scaled to the sum"
        )
    low, high = float(values.min()), float(values.max())
    if low >= 1.0 / PLAUSIBLE and high <= PLAUSIBLE:
        return
    message = (
        f"constraints: {name}: members would be scaled by {low:.3g} to {high:.3g}: is the sum in "
        "Msun/h, and of this window?"
    )
    if policy == "raise" or low <= 0:
        raise EmulatorError(f"{message} (out_of_range='warn' scales nevertheless)")
    warnings.warn(message, stacklevel=4)
