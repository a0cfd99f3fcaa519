"""All statistics of maps of a large ensemble, by the code that `emulator validate` runs."""

import numpy as np
import xarray as xr

from analysis.benchmarks.spectra.timing import Seconds, timed
from analysis.benchmarks.tables import INFINITY, Bar, Measurement
from emulator.config import ValidationConfig
from emulator.cost.requests import VALIDATION_CORES
from emulator.fields import find_fields
from emulator.metrics import registry
from emulator.metrics.base import Case
from emulator.validation.side_by_side import side_by_side

FIELDS = ("dm_hydro", "gas", "stars", "gas_temperature")
N_MEMBERS, N_WINDOWS, OF_ONE = 16, 256, 16
SIDES = (32, 64, 128)
WANTED = 60.0


def measure() -> list[Measurement]:
    """All of this section: minutes."""
    registry.compute(make_case(2, 32, 0))  # compiles
    found = {side: seconds_of(side) for side in SIDES}
    rows = [[f"{side} x {side}", f"{s.cpu:.1f}", f"{s.wall:.1f}"] for side, s in found.items()]
    bars = [
        Bar(f"windows of {side} x {side}, two cores [s]", s.wall, -INFINITY, WANTED)
        for side, s in found.items()
    ]
    note = (
        f"{N_MEMBERS} members of {N_WINDOWS} windows of {len(FIELDS)} fields, lognormal, as "
        f"{N_WINDOWS // OF_ONE} simulations of {OF_ONE} windows: every registered statistic of "
        "maps but those that need catalogues, training maps, baselines or re-drawn truths. "
        f"{VALIDATION_CORES} simulations side by side in threads, as the stage does."
    )
    return [Measurement("An ensemble", note, bars, ["windows", "processor [s]", "wall [s]"], rows)]


def seconds_of(side: int) -> Seconds:
    """Of all simulations; their making does not count."""
    cases = [make_case(OF_ONE, side, number) for number in range(N_WINDOWS // OF_ONE)]
    return timed(lambda: list(side_by_side(registry.compute, cases, VALIDATION_CORES)))


def make_case(n_windows: int, side: int, seed: int) -> Case:
    """One simulation, its members draws of the law of its truth."""
    rng, names = np.random.default_rng(seed), list(FIELDS)

    def draw(*lead: int) -> np.ndarray:
        return rng.lognormal(22.0, 1.0, (*lead, side, side)).astype(np.float32)

    space, n = ("y", "x"), len(names)
    ensemble = xr.Dataset(
        {
            "fields": (("sample", "member", "channel", *space), draw(n_windows, N_MEMBERS, n)),
            "truth": (("sample", "channel", *space), draw(n_windows, n)),
            "condition": (("sample", *space), draw(n_windows)),
        },
        coords={"channel": names, "parameter": ["Omega_m"]},
        attrs={"pixel_mpch": 0.2},
    )
    mean = float(ensemble["condition"].mean())
    return Case(
        ensemble=ensemble,
        fields=tuple(find_fields(names)),
        pixel_mpch=0.2,
        mean_dmo=mean,
        scales=xr.DataArray(np.full(n, mean), dims="channel", coords={"channel": names}),
        model_seed=np.zeros(N_MEMBERS, int),
        forecasts={},
        config=ValidationConfig(),
        generator=np.random.default_rng(seed),
    )
