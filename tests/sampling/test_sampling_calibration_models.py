"""Models whose noise is wrong by a known factor are brought to a spread that fits.

A network that returns zero draws its noise: N(0, I) as a diffusion, the sum of noises of three
lengths as a one-step ensemble. The truth is one more member, of noise with other factors: so the
factors that calibrate are known exactly, and with them truth and members are exchangeable.
"""

import copy

import numpy as np
import pytest
import torch
import xarray as xr
from untrained import PARAMS, build_emulator

from emulator.config import CalibrationConfig, SamplingConfig
from emulator.io import EmulatorError
from emulator.metrics.calibration import spread_and_skill
from emulator.model.build import COPIES
from emulator.sampling.calibration.stage import calibrate, calibrate_on
from emulator.sampling.ensemble import Emulator
from emulator.sampling.samplers import CalibratedSampler
from emulator.sampling.task import cut_task

N_CHANNELS, STARS = 4, 2
FIELDS = ("dm_hydro", "gas", "stars", "stars")
OPTIONS = SamplingConfig(windows_per_simulation=48, batch_size=384)
CONFIG = CalibrationConfig(enabled=True, windows=48, members=8)
SIMULATIONS = ["SB_0", "CV_0"]
FACTORS = {
    "diffusion": [[0.8, 1.25, 0.8, 0.8]],
    "one_step": [[1.0] * 4, [0.7, 1.3, 0.9, 0.9], [0.8, 1.0, 1.2, 1.2], [0.7, 0.7, 1.0, 1.0]],
}


def ideal(folder, objective="diffusion"):
    """The model whose network returns zero, without the time that a network takes.

    No amplitude that it draws lies below a floor, where a truth would count as empty.
    """
    built = build_emulator(folder, objective=objective)
    normalisation = built.card.normalisation
    channels = tuple(c.model_copy(update={"floor": 1.0}) for c in normalisation.channels)
    changed = normalisation.model_copy(update={"channels": channels})
    card = built.card.model_copy(update={"normalisation": changed})
    model = Emulator(card, built.network, device="cpu")
    model.network = lambda z, *given: torch.zeros_like(z)
    return model


def with_noise(model, factors, shift=0.0):
    """The model with noise that is scaled, and another threshold of the stars."""
    moved = torch.zeros(N_CHANNELS)
    moved[STARS] = shift
    changed = copy.copy(model)
    changed.sampler = CalibratedSampler(model.sampler, torch.tensor(factors).flatten(), moved)
    return changed


def task_of(model, truth_model, folder, seed=12345):
    """Windows whose truth is a member of another model."""
    task = cut_task(model, folder, SIMULATIONS, OPTIONS, CONFIG.windows)
    drawn = truth_model.sample(
        task.conditions, task.params, n_members=1, seed=seed, sampling=OPTIONS
    )["fields"][:, 0]
    truth = drawn.drop_vars(list(drawn.coords)) / task.units
    return task._replace(truth=truth.transpose("sample", "channel", "y", "x"))


@pytest.fixture(scope="module", params=["diffusion", "one_step"])
def case(request, folder):
    """A model, its windows, the true factors, and its calibration."""
    model = ideal(folder, request.param)
    factors = FACTORS[request.param]
    task = task_of(model, with_noise(model, factors, shift=0.3), folder)
    return model, task, factors, calibrate_on(model, task, OPTIONS, CONFIG)


def spread_over_skill(model, task, side):
    """Of fresh members, without our functions: pixels of masses, squares relative to DMO."""
    drawn = model.sample(task.conditions, task.params, n_members=8, seed=99, sampling=OPTIONS)
    members, truth = drawn["fields"].values.astype(float), (task.truth * task.units).values
    dmo = task.conditions["condition"].values.astype(float)

    def means(values):
        n = values.shape[-1] // side
        return values.reshape(*values.shape[:-2], n, side, n, side).mean((-3, -1))

    unit = means(dmo)[:, None] if side > 1 else task.units.values[..., None, None]
    members, truth = means(members) / unit[:, None], means(truth) / unit
    variance = members.var(1, ddof=1).mean((0, 2, 3))
    error = ((members.mean(1) - truth) ** 2).mean((0, 2, 3))
    return np.sqrt(9 / 8 * variance / error)


def test_the_spread_fits_the_error_at_every_side(case):
    """On noise that the fit has not seen. Ratios of 48 windows: a few percent by chance."""
    model, task, _, found = case
    better = model.calibrated_by(found)
    before, after = (
        np.array([spread_over_skill(m, task, side) for side in (1, 2, 4, 8)])
        for m in (model, better)
    )
    assert (np.abs(np.log(before)).max(0) > 0.15).all()
    for values, tolerance in zip(after, (0.06, 0.06, 0.08, 0.14), strict=True):
        np.testing.assert_allclose(values[:2], 1.0, atol=tolerance)


def test_the_factors_are_those_of_the_truth(case):
    model, _, factors, found = case
    n_copies = COPIES[model.card.facts.objective]
    assert found.fields == FIELDS
    scale = np.reshape(found.noise_scale, (n_copies, N_CHANNELS))
    np.testing.assert_array_equal(scale[:, 2], scale[:, 3])
    if n_copies == 1:
        np.testing.assert_allclose(scale[:, :2], np.array(factors)[:, :2], rtol=0.06)
    else:  # neighbouring lengths are told apart by what squares tell
        assert (scale[0] == 1.0).all()
        moved = np.abs(np.log(factors))[:, :2] > 0.1
        assert (np.sign(np.log(scale[:, :2])) == np.sign(np.log(factors))[:, :2])[moved].all()


def test_nothing_is_worse_on_the_windows_that_were_fitted(case):
    *_, found = case
    for name in ("dm_hydro", "gas", "stars"):
        rows = [row for row in found.spread if row.field == name]
        before, after = (
            np.mean([abs(np.log(getattr(row, when))) for row in rows])
            for when in ("before", "after")
        )
        assert after <= before + 0.02 * (name == "stars")  # what its threshold may cost


def test_as_many_pixels_are_occupied_as_in_truth(case):
    model, task, _, found = case
    share = found.occupied["stars"]
    truth = float((task.truth[:, STARS] > 0).mean())
    assert share.truth == pytest.approx(truth, abs=1e-9)
    assert abs(share.before - truth) > 0.02
    assert share.after == pytest.approx(truth, abs=1e-4)
    drawn = model.calibrated_by(found).sample(
        task.conditions, task.params, n_members=8, seed=OPTIONS.seed, sampling=OPTIONS
    )
    assert float((drawn["fields"][:, :, STARS] > 0).mean()) == pytest.approx(truth, abs=1e-4)
    assert [value != 0 for value in found.shift] == [False, False, True, False]


def test_what_is_calibrated_already_stays_as_it_is(folder):
    """Truth and members of one model: ratios differ from 1 by chance alone, and so do factors."""
    model = ideal(folder)
    found = calibrate_on(model, task_of(model, model, folder), OPTIONS, CONFIG)
    np.testing.assert_allclose(found.noise_scale[:2], 1.0, atol=0.05)
    share = found.occupied["stars"]
    assert share.before == pytest.approx(share.truth, abs=0.02)


def test_pixels_count_as_the_judge_counts_them(case):
    """Side 1 is the metric of pixels, in the units of their boxes; the table holds its root."""
    model, task, _, found = case
    drawn = model.sample(
        task.conditions, task.params, n_members=8, seed=OPTIONS.seed, sampling=OPTIONS
    )["fields"]
    scaled = drawn.drop_vars(list(drawn.coords)) / task.units
    variance, error = (
        part.mean(("sample", "y", "x")) for part in spread_and_skill(scaled, task.truth)
    )
    expected = np.sqrt(9 / 8 * variance / error).values
    rows = [row.before for row in found.spread if row.side == 1]
    np.testing.assert_allclose(rows, expected, rtol=1e-5)


# ------------------------------------------------------------------------------------ the draws


def calibration_of(found, noise_scale, shift):
    return found.model_copy(update={"noise_scale": tuple(noise_scale), "shift": tuple(shift)})


def test_factors_of_one_change_no_bit(case, box):
    model, _, _, found = case
    same = calibration_of(found, [1.0] * len(found.noise_scale), [0.0] * N_CHANNELS)
    for solver in ("unipc3", "ancestral"):
        drawn, again = (
            m.sample(box, PARAMS, centres=[(8, 8)], n_members=2,
                     sampling=SamplingConfig(solver=solver, n_steps=3)).fields
            for m in (model, model.calibrated_by(same))
        )  # fmt: skip
        np.testing.assert_array_equal(drawn, again)


@pytest.mark.parametrize("solver", ["unipc3", "ancestral", "sde-dpm++2m"])
def test_the_spread_of_a_linear_denoiser_is_proportional_to_the_factor(folder, box, solver):
    """Of every solver, whether it draws noise on its way or not; the mean of the law stays."""
    model = ideal(folder)
    options = SamplingConfig(solver=solver, n_steps=4)
    drawn = {}
    for factor in (1.0, 1.7):
        with_factor = with_noise(model, [[factor] * N_CHANNELS])
        kept = []
        inner = with_factor.sampler.draw
        with_factor.sampler.draw = lambda *given, f=inner, k=kept: k.append(f(*given)) or k[-1]
        with_factor.sample(box, PARAMS, centres=[(8, 8)], n_members=2, sampling=options)
        drawn[factor] = kept[0]
    torch.testing.assert_close(drawn[1.7], 1.7 * drawn[1.0], rtol=1e-4, atol=1e-4)


def test_members_go_through_what_is_known_under_any_calibration(folder, box):
    """The shift is taken off after the draw, so it is added to what the draw is led to."""
    model = ideal(folder)
    truth = model.sample(box, PARAMS, centres=[(8, 8)], n_members=1, seed=5).fields.values[:, 0]
    observed = np.full_like(truth, np.nan)
    observed[..., ::2, :] = truth[..., ::2, :]
    changed = with_noise(model, [[1.3] * N_CHANNELS], shift=0.5)
    drawn = changed.sample(
        box, PARAMS, centres=[(8, 8)], n_members=2, observed=observed, seed=6,
        sampling=SamplingConfig(n_steps=20),
    ).fields.values  # fmt: skip
    known = ~np.isnan(observed[0])
    for member in drawn[0]:
        same = (member > 0)[known] == (observed[0] > 0)[known]
        assert same.mean() > 0.99
        gas = member[1][known[1]], observed[0, 1][known[1]]
        np.testing.assert_allclose(*np.log(gas), atol=0.2)


# --------------------------------------------------------------------------------- bad input


def test_without_simulations_there_is_nothing_to_fit(folder):
    model = ideal(folder)
    with pytest.raises(EmulatorError, match=r"got none; set data\.split\.validation_fraction"):
        calibrate(model, [], OPTIONS, CONFIG, maps_dir=folder)


def test_a_field_that_is_empty_everywhere_keeps_its_threshold(folder):
    """Beyond all that was drawn it would have neither spread nor error, and no ratio of them."""
    model = ideal(folder)
    task = cut_task(model, folder, SIMULATIONS, OPTIONS, 4)
    few = CONFIG.model_copy(update={"members": 2, "rounds": 1})
    empty = xr.zeros_like(task.truth[:, STARS])
    truth = task.truth.copy()
    truth[:, STARS] = empty
    found = calibrate_on(model, task._replace(truth=truth), OPTIONS, few)
    share = found.occupied["stars"]
    assert share.truth == 0.0
    assert share.after == pytest.approx(share.before, abs=0.05)
    assert found.shift == (0.0,) * N_CHANNELS
