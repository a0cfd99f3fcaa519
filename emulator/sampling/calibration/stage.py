"""The stage: factors of the noise and thresholds of hurdle fields, on windows of the validation."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emulator.config import CalibrationConfig, SamplingConfig
from emulator.io import EmulatorError
from emulator.metadata import provenance
from emulator.model.calibration import Calibration, Occupied, Spread
from emulator.progress import Progress
from emulator.sampling.calibration.draws import Drawn, Draws
from emulator.sampling.calibration.factors import DRAWS_OF_A_ROUND, fit_factors, scores
from emulator.sampling.calibration.statistic import Floats
from emulator.sampling.ensemble import Emulator
from emulator.sampling.task import Task, cut_task

SLACK = 0.02
"""What the right share of occupied pixels may cost: of the mean over sides of the size of q."""


def calibrate(
    model: Emulator,
    simulations: Sequence[str],
    sampling: SamplingConfig,
    config: CalibrationConfig,
    *,
    maps_dir: Path,
) -> Calibration:
    """Calibrate a model.

    Parameters
    ----------
    model
        As it was trained, with what was found for it; a calibration of before is not looked at.
    simulations
        Names of the validation split.
    sampling
        Options and seed that are drawn with.
    config
        How many windows, members and rounds; the largest factor.
    maps_dir
        Folder of ``{simulation}.h5``.

    Raises
    ------
    EmulatorError
        If there are no simulations, or if the model draws what no field can have.
    DataError
        If maps do not fit the model.
    """
    if not simulations:
        raise EmulatorError(
            "calibrate: expected simulations of the validation split, got none; set "
            "data.split.validation_fraction above 0 and run `emulator fit CONFIG` again"
        )
    task = cut_task(model, maps_dir, simulations, sampling, config.windows)
    return calibrate_on(model, task, sampling, config)


def calibrate_on(
    model: Emulator, task: Task, sampling: SamplingConfig, config: CalibrationConfig
) -> Calibration:
    """Calibrate a model on given windows; arguments as of :func:`calibrate`."""
    model.card.require_maps("calibrate")
    plain = model.uncalibrated()
    draws = Draws(plain, task, sampling, config.members)
    first = draws.draw(np.zeros((len(plain.channels), len(plain.sampler.scaled_copies))))
    logs, last = _fit(draws, first, config, f"calibrate seed {model.seed}")
    return Calibration(
        weights_sha256=model.card.weights_sha256,
        fields=tuple(draws.owners),
        noise_scale=tuple(draws.noise_scale(logs).tolist()),
        shift=tuple(last.shift.tolist()),
        sampling=model.options_for(sampling),
        spread=tuple(_table(draws, first.log_ratios, last.log_ratios)),
        occupied={
            hurdle.name: Occupied(
                truth=hurdle.share,
                before=hurdle.occupied(first.channels, 0.0),
                after=hurdle.occupied(last.channels, last.shift[hurdle.place]),
            )
            for hurdle in draws.hurdles
        },
        simulations=task.simulations,
        windows=len(task.owners),
        members=config.members,
        attributes=provenance("calibrate", model=model.card.name),
    )


def _fit(draws: Draws, first: Drawn, config: CalibrationConfig, label: str) -> tuple[Floats, Drawn]:
    """Factors and thresholds together: the spread of a field depends on where it is empty.

    A field whose right share of occupied pixels costs more than :data:`SLACK` of its spread, with
    the best factors, keeps its threshold, and the factors are fitted anew.
    """
    channels, n_copies = draws.model.channels, len(draws.model.sampler.scaled_copies)
    defined = np.isfinite(first.log_ratios)
    at_first = scores(first.log_ratios, defined)
    matched = {hurdle.name for hurdle in draws.hurdles}
    while True:
        line = Progress(label, 1 + config.rounds * (n_copies + DRAWS_OF_A_ROUND))

        def draw(
            logs: Floats, line: Progress = line, names: frozenset[str] = frozenset(matched)
        ) -> Drawn:
            drawn = draws.draw(logs, names)
            factors = " ".join(f"{factor:.2f}" for factor in np.exp(logs).ravel())
            line.advance(1, f"noise times {factors}")
            return drawn

        logs, _, last = fit_factors(
            draw, len(channels), n_copies, rounds=config.rounds, largest=config.largest_factor
        )
        if line.done < line.total:  # a step that helps at once spares the others
            line.advance(line.total - line.done)
        worse = scores(last.log_ratios, defined) > at_first + SLACK
        costly = {name for name in matched if worse[channels.index(name)]}
        if not costly:
            return logs, last
        matched -= costly


def _table(draws: Draws, before: Floats, after: Floats) -> list[Spread]:
    """Spread over skill of each field and side."""

    def ratio(log_ratio: float) -> float | None:
        return math.exp(log_ratio) if math.isfinite(log_ratio) or log_ratio < 0 else None

    return [
        Spread(field=name, side=side, before=ratio(before[i, j]), after=ratio(after[i, j]))
        for i, name in enumerate(draws.model.channels)
        for j, side in enumerate(draws.statistic.sides)
    ]
