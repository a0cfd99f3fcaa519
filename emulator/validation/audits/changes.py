"""What a model does when its condition is changed on purpose: context, parameters, orientation."""

import warnings
from typing import Any

import xarray as xr

from emulator.config import SamplingConfig
from emulator.io import EmulatorError
from emulator.metrics.log_maps import log_maps
from emulator.sampling.base import BaseEmulator
from emulator.validation.audits.scores import score_ratio, turn_difference
from emulator.validation.audits.turns import turned
from emulator.validation.audits.windows import Audited

CONTEXT, PARAMS, TURN = "context_ratio", "params_ratio", "turn_difference"
"""Variables of ``audits.nc``; see :mod:`emulator.validation.audits.scores`."""


def audit_changes(
    model: BaseEmulator, audited: Audited, sampling: SamplingConfig, n_members: int
) -> tuple[dict[str, xr.DataArray], dict[str, str]]:
    """Draw audited windows as they are and changed, and compare.

    Parameters
    ----------
    model
        One, or several as one.
    audited
        Windows, and what takes the place of their conditions.
    sampling
        What members are drawn with.
    n_members
        Of each window, from each model.

    Returns
    -------
    Numbers by variable, and why others are missing.

    Raises
    ------
    EmulatorError
        If the windows as they are do not fit the model.
    """
    draws = _Draws(model, audited, sampling, n_members * len(model.parts))
    right = draws.of(audited.conditions, audited.params)
    truth = audited.truth / audited.scales
    where = (audited.owners, audited.runs)
    found: dict[str, xr.DataArray] = {}
    why: dict[str, str] = {}

    def add(name: str, conditions: xr.Dataset, params: Any) -> None:
        try:
            changed = draws.of(conditions, params)
        except EmulatorError as error:
            why[name] = f"Not drawn: {error}"
            return
        found[name] = score_ratio(changed, right, truth, *where)

    if audited.contexts is None:
        why[CONTEXT] = "The model is given no surroundings, or there is no other window."
    else:
        add(CONTEXT, audited.conditions.assign(large_scale=audited.contexts), audited.params)
    if audited.strangers is None:
        why[PARAMS] = "The model has no parameters, or all held-out simulations have the same."
    else:
        add(PARAMS, audited.conditions, audited.strangers)
    if (reason := cannot_turn(model)) is not None:
        why[TURN] = reason
        return found, why
    conditions = xr.Dataset({name: turned(each) for name, each in audited.conditions.items()})
    back = turned(draws.of(conditions, audited.params, "turned"), back=True)
    found[TURN] = turn_difference(draws.logs(back), draws.logs(right), *where)
    return found, why


def cannot_turn(model: BaseEmulator) -> str | None:
    """Why windows cannot be turned and mirrored; None where they can."""
    grid = model.card.grid
    if len(grid.shape) != 2:
        return "Windows of three dimensions are not turned."
    if "d4" not in getattr(grid, "symmetries", ("d4",)):
        return "The law of these arrays need not stay the same when they are turned."
    return None


class _Draws:
    """Members of the audited windows, whatever they are conditioned on."""

    def __init__(
        self, model: BaseEmulator, audited: Audited, sampling: SamplingConfig, n_members: int
    ) -> None:
        self.model, self.audited = model, audited
        self.sampling, self.n_members = sampling, n_members

    def of(self, conditions: xr.Dataset, params: Any, noise: str = "same") -> xr.DataArray:
        """Members ``(sample, member, channel, ...)`` in units of the simulations.

        Those of one ``noise`` have the same.
        """
        with warnings.catch_warnings():
            # conditions that no training had are what is asked for
            warnings.simplefilter("ignore", UserWarning)
            drawn = self.model.sample(
                conditions, params, n_members=self.n_members, seed=self.sampling.seed,
                noise_of=[f"{name} {noise}" for name in self.audited.names],
                sampling=self.sampling, out_of_range="warn", progress=True,
            )  # fmt: skip
        values: xr.DataArray = drawn["fields"].reset_coords(drop=True) / self.audited.scales
        return values

    def logs(self, values: xr.DataArray) -> xr.DataArray:
        """Their logarithms."""
        return log_maps(values, xr.ones_like(self.audited.scales), self.model.fields)
