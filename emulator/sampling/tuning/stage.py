"""The stage: the windows, the errors of all settings there, and the cheapest that fits."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from emulator.config import AutoConfig, SamplingConfig, Setting, ValidationConfig
from emulator.io import EmulatorError
from emulator.metadata import VERSION, fingerprint, provenance
from emulator.metrics.power_spectrum import build_shells
from emulator.metrics.tolerances import inside_range, with_all_shells
from emulator.model.found_solver import FoundSolver, Measured
from emulator.sampling.chosen import FOUND_WITH
from emulator.sampling.ensemble import Emulator
from emulator.sampling.noise import STREAM_VERSION
from emulator.sampling.task import Task, cut_task
from emulator.sampling.tuning.choice import choose
from emulator.sampling.tuning.draws import draw_fields
from emulator.sampling.tuning.errors import Errors, compare
from emulator.sampling.tuning.outcomes import Outcome, measure_all


def tune(
    model: Emulator,
    simulations: Sequence[str],
    sampling: SamplingConfig,
    validation: ValidationConfig,
    *,
    maps_dir: Path,
    state_dir: Path,
) -> FoundSolver:
    """Find the solver of a model.

    Parameters
    ----------
    model
        As it was trained; what was found for it before is not looked at.
    simulations
        Names of the validation split.
    sampling
        With ``solver: auto``; the ends of the grid, start, guidance and seed are drawn with.
    validation
        Range of wave numbers.
    maps_dir
        Folder of ``{simulation}.h5``.
    state_dir
        Where measurements are kept until all are there.

    Raises
    ------
    EmulatorError
        If the config names a solver, or if the reference draws what no field can have.
    DataError
        If maps do not fit the model.
    """
    auto = sampling.solver
    if not isinstance(auto, AutoConfig):
        raise EmulatorError(
            f"sampling.solver: {auto.name} is named, so there is nothing to find; write "
            "`sampling: {solver: auto}`"
        )
    model.card.require_maps("tune")
    task = cut_task(model, maps_dir, simulations, sampling, auto.windows)
    grid, is_matter = model.card.grid, model.card.domain.is_matter
    shells = build_shells(grid.shape, grid.pixel)
    if not is_matter:
        validation = with_all_shells(validation, shells.k_hmpc)
    inside = inside_range(shells.k_hmpc, validation)

    def draw(setting: Setting) -> xr.DataArray:
        return draw_fields(model, task, setting, sampling, auto.members)

    outcomes = measure_all(
        auto,
        draw,
        task.truth,
        task.owners,
        pixel_mpch=grid.pixel,
        state=Path(state_dir) / f"tune-{_key(model, task, sampling, auto)}.json",
        label=f"tune seed {model.seed}",
    )
    table = tabulate(auto, outcomes, model.channels, inside)
    best, fits = choose(table, auto)
    kept = {key: getattr(sampling, key) for key in FOUND_WITH}
    return FoundSolver(
        weights_sha256=model.card.weights_sha256,
        sampling=SamplingConfig.model_validate(kept | dict(best.setting)),
        within_budget=fits,
        spectrum_budget=auto.spectrum_error,
        crps_budget=auto.crps_error,
        k_min_hmpc=validation.k_min_hmpc if is_matter else None,
        k_max_hmpc=validation.k_max_hmpc if is_matter else None,
        k_range=validation.k_range,
        k_unit=model.card.domain.wave_number,
        reference=auto.reference,
        simulations=task.simulations,
        windows=len(task.owners),
        members=auto.members,
        device=_device(model.device),
        table=tuple(table),
        attributes=provenance("tune", model=model.card.name),
    )


def tabulate(
    auto: AutoConfig,
    outcomes: Mapping[Setting, Outcome],
    fields: Sequence[str],
    inside: np.ndarray,
) -> list[Measured]:
    """Errors of all settings, in the order of the config."""
    reference = outcomes[auto.reference].statistics
    if reference is None:
        raise EmulatorError("tune: the reference was not measured")
    table = []
    for setting in auto.settings:
        statistics, milliseconds, fault = outcomes[setting]
        errors = (
            Errors({}, {}, {}, fault)
            if statistics is None
            else compare(statistics, reference, fields, inside)
        )
        row = Measured(
            setting=setting,
            spectrum_error=errors.spectrum,
            spectrum_noise=errors.noise,
            crps_change=errors.crps,
            ms_per_member=milliseconds,
            fault=errors.fault,
        )
        table.append(row)
    return table


def _key(model: Emulator, task: Task, sampling: SamplingConfig, auto: AutoConfig) -> str:
    """Hash of all that decides what a setting draws and how it scores."""
    options = sampling.model_dump(mode="json", include={*FOUND_WITH, "seed"})
    weights, versions = model.card.weights_sha256, [STREAM_VERSION, VERSION]
    return fingerprint([versions, weights, options, auto.members, task.digest])


def _device(device: torch.device) -> str:
    """What the times are of."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"
