"""What a model draws with any setting."""

import xarray as xr

from emulator.config import SamplingConfig, Setting
from emulator.sampling.ensemble import Emulator
from emulator.sampling.task import Task


def draw_fields(
    model: Emulator, task: Task, setting: Setting, options: SamplingConfig, n_members: int
) -> xr.DataArray:
    """Members ``(sample, member, channel, y, x)`` in the units of the task.

    The noise is a function of window and member: of deterministic solvers all draws start from the
    same.

    Raises
    ------
    EmulatorError
        If what is drawn is not finite, or no field can have it.
    """
    chosen = {"solver": setting.solver, "n_steps": setting.n_steps, "spacing": setting.spacing}
    drawn = model.sample(
        task.conditions,
        task.params,
        n_members=n_members,
        seed=options.seed,
        sampling=options.model_copy(update=chosen),
    )["fields"]
    plain = drawn.drop_vars(list(drawn.coords)) / task.units
    return plain.transpose("sample", "member", "channel", "y", "x")
