"""The errors of solvers: exact ones of a Gaussian field, identities, and what is chosen of them."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from analysis.benchmarks.gaussian_field import build_field, run_exactly
from emulator.config import AutoConfig, Candidate, Setting
from emulator.diffusion.parameterization import Prediction
from emulator.diffusion.process import alpha_sigma
from emulator.diffusion.solvers import build_solver, build_spacing, gamma_grid, solve
from emulator.io import EmulatorError
from emulator.metrics.power_spectrum import shell_index
from emulator.model.found_solver import Measured
from emulator.sampling.tuning.choice import choose
from emulator.sampling.tuning.errors import Statistics, compare, measure
from emulator.sampling.tuning.outcomes import measure_all
from emulator.sampling.tuning.stage import tabulate

PAGE = Path(__file__).parents[2] / "docs/solvers.md"
ENDS = (13.0, -13.3)
AUTO = AutoConfig(name="auto", evaluations=(8, 12, 16, 20, 32), windows=2)
ROWS = {"unipc3": "unipc3", "dpm++2m": "dpm++2m", "abm2": "abm2, logistic, centre 1"}
"""Lines of the page, by the solver of each default candidate."""
N_WINDOWS, SIDE = 2, 128
DIMS = ("sample", "member", "channel", "y", "x")


def grid_of(setting):
    solver = build_solver(setting.solver)
    spacing = build_spacing(setting.spacing)
    return solver, gamma_grid(*ENDS, solver.nodes(setting.n_steps), spacing)


class Gaussian:
    """The field of docs/solvers.md in pixels, with its Wiener filter, and draws of it."""

    def __init__(self):
        self.field, self.drawn = build_field(), []
        index = torch.from_numpy(shell_index(SIDE)).clamp(1, SIDE // 2)
        self.power = self.field.power[index - 1]
        generator = torch.Generator().manual_seed(0)
        shape = (N_WINDOWS * AUTO.members, 1, SIDE, SIDE)
        self.noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        white = torch.randn((N_WINDOWS, 1, SIDE, SIDE), generator=generator, dtype=torch.float64)
        self.truth = xr.DataArray(
            self.filtered(white, self.power.sqrt()).numpy(), dims=("sample", *DIMS[2:])
        )

    def filtered(self, z, gain):
        return torch.fft.irfft2(torch.fft.rfft2(z) * gain, s=z.shape[-2:])

    def denoise(self, z, gamma):
        alpha, sigma = (float(part[0]) for part in alpha_sigma(gamma))
        gain = alpha * self.power / (alpha**2 * self.power + sigma**2)
        return Prediction.of_data(self.filtered(z, gain), z, gamma)

    def draw(self, setting):
        self.drawn.append(setting)
        solver, gammas = grid_of(setting)
        x = solve(solver, self.denoise, self.noise, gammas, lambda: self.noise)
        values = x.numpy().reshape(N_WINDOWS, AUTO.members, 1, SIDE, SIDE)
        return xr.DataArray(values, dims=DIMS)

    def measure(self, state, auto=AUTO):
        return measure_all(auto, self.draw, self.truth, [0, 1], pixel_mpch=1.0, state=state)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    gaussian = Gaussian()
    outcomes = gaussian.measure(tmp_path_factory.mktemp("state") / "a.json")
    assert gaussian.drawn == [AUTO.reference, *AUTO.settings]
    table = tabulate(AUTO, outcomes, ["field"], np.ones(SIDE // 2, bool))
    return gaussian.field, outcomes, {row.setting: row for row in table}


def test_errors_are_those_of_the_exact_algebra(measured):
    """Power of every shell is that of its noise times what the solver makes of it: no scatter."""
    field, _, table = measured
    exact = {s: run_exactly(field, *grid_of(s)).power for s in (AUTO.reference, *table)}
    for setting, row in table.items():
        expected = float((exact[setting] / exact[AUTO.reference] - 1).abs().max())
        assert row.largest_spectrum_error == pytest.approx(expected, rel=1e-4, abs=1e-7)
        assert row.noise < 1e-6 * max(1.0, row.largest_spectrum_error)


def test_errors_are_those_of_the_page(measured):
    part = PAGE.read_text().split("### Unconditional field")[1].split("###")[0]
    lines = [re.split(r" *\| *", line.strip("| ")) for line in part.splitlines() if "|" in line]
    columns, table = lines[0][1:], {name: cells for name, *cells in lines[2:]}
    compared = 0
    for setting, row in measured[2].items():
        said = table[ROWS[setting.solver.name]][columns.index(str(setting.n_steps))]
        found = 100 * row.largest_spectrum_error
        if said == ">100":
            assert found > 100
        else:
            assert found == pytest.approx(float(said), abs=0.06)
            compared += 1
    assert compared == 14
    best, fits = choose(list(measured[2].values()), AUTO)
    assert fits
    assert (best.setting.solver.name, best.setting.n_steps) == ("abm2", 12)


def test_the_reference_has_no_error(measured):
    reference = measured[1][AUTO.reference].statistics
    found = compare(reference, reference, ["field"], np.ones(SIDE // 2, bool))
    assert found == ({"field": 0.0}, {"field": 0.0}, {"field": 0.0}, None)


def test_only_shells_of_the_range_count(measured):
    _, outcomes, table = measured
    setting = next(iter(table))
    ratio = outcomes[setting].statistics.power.mean(0)[0]
    ratio = np.abs(ratio / outcomes[AUTO.reference].statistics.power.mean(0)[0] - 1)
    inside = np.zeros(SIDE // 2, bool)
    inside[30:40] = True
    row = tabulate(AUTO, outcomes, ["field"], inside)[0]
    assert row.spectrum_error["field"] == pytest.approx(ratio[30:40].max())
    assert ratio.max() > 1.2 * ratio[30:40].max()


def test_a_search_that_was_stopped_goes_on(tmp_path, capsys):
    gaussian = Gaussian()
    auto = AutoConfig(name="auto", evaluations=(1, 2), reference_evaluations=4)
    real, calls = gaussian.draw, []

    def breaks(setting):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(setting)
        return real(setting)

    gaussian.draw = breaks
    with pytest.raises(KeyboardInterrupt):
        gaussian.measure(tmp_path / "a.json", auto)
    gaussian.draw, gaussian.drawn = real, []
    outcomes = gaussian.measure(tmp_path / "a.json", auto)
    assert gaussian.drawn == auto.settings[2:]
    assert "going on from" in capsys.readouterr().err
    anew = gaussian.measure(tmp_path / "b.json", auto)
    for setting, outcome in outcomes.items():
        for one, other in zip(outcome.statistics, anew[setting].statistics, strict=True):
            np.testing.assert_array_equal(one, other)
    gaussian.drawn = []
    gaussian.measure(tmp_path / "a.json", auto.model_copy(update={"spectrum_error": 1.0}))
    assert gaussian.drawn == []
    (tmp_path / "a.json").write_text("{")
    gaussian.measure(tmp_path / "a.json", auto)
    assert gaussian.drawn == [auto.reference, *auto.settings]
    assert "measured anew" in capsys.readouterr().err


def test_a_candidate_that_draws_no_field_is_a_fault_and_a_reference_an_error(tmp_path):
    gaussian = Gaussian()
    auto = AutoConfig(name="auto", evaluations=(1, 2), reference_evaluations=4)
    real, bad = gaussian.draw, auto.settings[0]

    def draw(setting):
        if setting == bad:
            raise EmulatorError("values that cannot be")
        return real(setting)

    gaussian.draw = draw
    outcomes = gaussian.measure(tmp_path / "a.json", auto)
    rows = tabulate(auto, outcomes, ["field"], np.ones(SIDE // 2, bool))
    assert [row.setting for row in rows if row.fault] == [bad]
    assert "values that cannot be" in rows[0].fault
    assert choose(rows, auto)[0].setting != bad
    bad = auto.reference
    with pytest.raises(EmulatorError, match="values that cannot be"):
        gaussian.measure(tmp_path / "b.json", auto)


def test_means_are_over_the_windows_of_each_simulation():
    rng = np.random.default_rng(0)
    fields = xr.DataArray(rng.normal(size=(5, 3, 2, 8, 8)), dims=DIMS)
    truth = xr.DataArray(rng.normal(size=(5, 2, 8, 8)), dims=("sample", *DIMS[2:]))
    owners = [0, 0, 1, 1, 1]
    found = measure(fields, truth, owners, pixel_mpch=0.5)
    assert found.power.shape == (2, 2, 4)
    for number in (0, 1):
        own = np.flatnonzero(np.array(owners) == number)
        x, y = fields.values[own], truth.values[own]
        apart = np.abs(x[:, :, None] - x[:, None]).sum((1, 2)) / (2 * 3 * 2)
        crps = (np.abs(x - y[:, None]).mean(1) - apart).mean((0, 2, 3))
        np.testing.assert_allclose(found.crps[number], crps)
        power = np.abs(np.fft.fft2(x)) ** 2 * 16.0 / 8**4
        inside = np.rint(np.hypot(*np.meshgrid(*2 * [np.fft.fftfreq(8, 1 / 8)]))) == 2
        np.testing.assert_allclose(found.power[number, :, 1], power[..., inside].mean((0, 1, 3)))


def test_the_standard_error_is_that_of_a_ratio_of_means():
    """Of independent pairs: the spread of the ratio over many repetitions."""
    rng = np.random.default_rng(1)
    wanted = 1.0 + 0.1 * rng.normal(size=(4000, 20))
    found = wanted * (1.02 + 0.05 * rng.normal(size=wanted.shape))
    score = np.ones((20, 1))
    noise, errors = [], []
    for x, y in zip(found, wanted, strict=True):
        one = compare(
            Statistics(x[:, None, None], score), Statistics(y[:, None, None], score),
            ["a"], np.array([True]),
        )  # fmt: skip
        noise.append(one.noise["a"])
        errors.append(x.mean() / y.mean() - 1)
    assert np.mean(noise) == pytest.approx(np.std(errors), rel=0.05)


def test_nothing_over_nothing_is_no_error_and_something_is_a_fault():
    empty, full = np.zeros((2, 1, 3)), np.ones((2, 1, 3))
    score, inside = np.ones((2, 1)), np.ones(3, bool)
    same = compare(Statistics(empty, score), Statistics(empty, score), ["a"], inside)
    assert (same.spectrum, same.fault) == ({"a": 0.0}, None)
    other = compare(Statistics(full, score), Statistics(empty, score), ["a"], inside)
    assert "where the reference has none" in other.fault


# ------------------------------------------------------------------------------------ the choice


def rows_of(**errors):
    """Rows of solvers whose errors at 8, 12, 16 evaluations are given in units of the budget."""
    return [
        Measured(
            setting=Setting(solver=name, n_steps=steps),
            spectrum_error={"a": 0.01 * error}, crps_change={"a": -0.001}, ms_per_member=1.0,
        )
        for name, row in errors.items()
        for steps, error in zip((8, 12, 16), row, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({"unipc3": (3, 0.9, 0.1), "ab2": (9, 3, 0.5)}, ("unipc3", 12, True)),
        # it passes through zero on its way
        ({"unipc3": (0.1, 2, 0.1), "ab2": (9, 3, 0.5)}, ("unipc3", 16, True)),
        ({"unipc3": (3, 0.9, 0.1), "ab2": (3, 0.5, 0.2)}, ("ab2", 12, True)),
        ({"unipc3": (3, 2.5, 1.5), "ab2": (9, 3, 1.7)}, ("unipc3", 16, False)),
        ({"unipc3": (1.5, 1.5, 1.5), "ab2": (9, 3, 1.7)}, ("unipc3", 8, False)),
    ],
)
def test_the_cheapest_that_fits_and_stays_so_is_chosen(errors, expected):
    best, fits = choose(rows_of(**errors), AUTO)
    assert (best.setting.solver.name, best.setting.n_steps, fits) == expected


def test_the_crps_has_a_budget_of_its_own():
    rows = rows_of(unipc3=(0.5, 0.5, 0.5))
    worse = rows[0].model_copy(update={"crps_change": {"a": -0.02}})
    assert choose([worse, *rows[1:]], AUTO)[0] == rows[1]


def test_settings_are_told_apart_by_their_grid():
    rows = rows_of(unipc3=(0.5, 0.5, 0.5))
    karras = Candidate(solver="unipc3", spacing="karras")
    bad = [
        row.model_copy(
            update={
                "setting": Setting(**dict(karras), n_steps=row.setting.n_steps),
                "spectrum_error": {"a": 0.5},
            }
        )
        for row in rows
    ]
    assert choose([*bad, *rows], AUTO)[0] == rows[0]


def test_candidates_none_of_which_draws_are_an_error():
    rows = [row.model_copy(update={"fault": "no field: NaN"}) for row in rows_of(ab2=(1, 1, 1))]
    with pytest.raises(EmulatorError, match=r"no candidate draws fields that can be.*NaN"):
        choose(rows, AUTO)
