"""Every setting is drawn and measured once; what was measured survives whatever ends the stage.

It lies in one file beside the states of the trainings, setting by setting. So a search that was
stopped goes on, and another budget, another range of wave numbers or one candidate more costs no
draw that was made before.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from emulator.config import AutoConfig, Setting
from emulator.io import DataError, EmulatorError, read_json, write_json
from emulator.metadata import fingerprint
from emulator.progress import Progress
from emulator.sampling.tuning.errors import Statistics, measure


class Outcome(NamedTuple):
    """What one setting drew: statistics, or why there are none; and its time."""

    statistics: Statistics | None
    ms_per_member: float
    fault: str | None


Draw = Callable[[Setting], xr.DataArray]
"""Members ``(sample, member, channel, y, x)`` of a setting, always from the same noise."""


def measure_all(
    auto: AutoConfig,
    draw: Draw,
    truth: xr.DataArray,
    owners: Sequence[int],
    *,
    pixel_mpch: float,
    state: Path,
    label: str = "tune",
) -> dict[Setting, Outcome]:
    """Draw and measure the reference, then every setting; those in ``state`` are read.

    Raises
    ------
    EmulatorError
        If the reference cannot be drawn. A candidate that cannot has a fault instead.
    """
    known = _read_state(state)
    settings = [auto.reference, *auto.settings]
    total = sum(setting.n_steps for setting in settings)
    done = sum(setting.n_steps for setting in settings if _name(setting) in known)
    if done:
        print(f"{label}: going on from {state}", file=sys.stderr, flush=True)
    line = Progress(label, total, start=done)
    found = {}
    for setting in settings:
        name = _name(setting)
        if name not in known:
            began, fields, fault = time.perf_counter(), None, None
            try:
                fields = draw(setting)
            except EmulatorError as error:
                if setting == auto.reference:
                    raise
                fault = f"no field: {error}"
            milliseconds = 1e3 * (time.perf_counter() - began) / (len(owners) * auto.members)
            measured = (
                None if fields is None else measure(fields, truth, owners, pixel_mpch=pixel_mpch)
            )
            known[name] = _to_json(Outcome(measured, milliseconds, fault))
            write_json(state, known)
            line.advance(setting.n_steps, f"{setting.label}, {setting.n_steps} evaluations")
        found[setting] = _from_json(known[name])
    return found


def _name(setting: Setting) -> str:
    return fingerprint(setting.model_dump(mode="json"))


def _read_state(path: Path) -> dict[str, Any]:
    """What was measured before; nothing if there is none, or if it is damaged."""
    if not path.is_file():
        return {}
    try:
        known: dict[str, Any] = read_json(path)
    except DataError as error:
        # nothing is lost: the same numbers are measured again
        print(f"tune: measured anew, as {error}", file=sys.stderr, flush=True)
        return {}
    return known


def _to_json(outcome: Outcome) -> dict[str, Any]:
    statistics = outcome.statistics
    return outcome._asdict() | {
        "statistics": None
        if statistics is None
        else {name: values.tolist() for name, values in statistics._asdict().items()}
    }


def _from_json(value: dict[str, Any]) -> Outcome:
    statistics = value["statistics"]
    arrays = statistics and Statistics(**{n: np.asarray(v) for n, v in statistics.items()})
    return Outcome(**value | {"statistics": arrays})
