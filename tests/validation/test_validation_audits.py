"""Numbers of the audits against closed forms: moved maps, moved means, masses in order."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import foldnorm

from emulator.data.symmetries import N_ORIENTATIONS, orient
from emulator.validation.audits.chosen import (
    by_runs,
    one_of_each_run,
    partners_of,
    spread_by_mass,
)
from emulator.validation.audits.phases import (
    count_modes,
    expected_by_chance,
    largest_correlation,
    phases_of,
    waves_of,
)
from emulator.validation.audits.scores import score_ratio, turn_difference
from emulator.validation.audits.turns import inverse_of, turned

OWNERS, RUNS = [0, 0, 1, 1, 2, 2], ["a", "b", "c"]


def lognormal(seed, n=64):
    rng = np.random.default_rng(seed)
    return np.exp(rng.normal(size=(n, n)))


def test_a_map_is_itself_at_any_shift_and_of_any_amplitude():
    one = lognormal(0)
    moved = 7.0 * np.roll(one, (20, -6), axis=(0, 1))
    assert largest_correlation(phases_of(one), phases_of(moved[None])) == pytest.approx(1, abs=1e-5)


def test_a_copy_between_the_points_of_the_grid_is_still_found():
    """Grid of 32 shifts, map of 64 pixels: one pixel is half a step along both axes."""
    moved = np.roll(lognormal(0), (1, 1), axis=(0, 1))
    found = largest_correlation(phases_of(lognormal(0)), phases_of(moved[None]))[0]
    steps = np.arange(-15, 16) * np.pi / 32
    # of one axis: the mean of the phases of half a step; all modes but the mean of the map
    expected = (np.exp(1j * steps).sum().real ** 2 - 1) / count_modes(15)
    assert found == pytest.approx(expected, abs=1e-4)
    assert found > 0.4


def test_maps_that_have_nothing_in_common_correlate_as_chance_says():
    phases = phases_of(np.stack([lognormal(seed) for seed in range(1, 101)]))
    found = largest_correlation(phases_of(lognormal(0)), phases)
    assert found.max() == pytest.approx(expected_by_chance(100, waves_of(64)), rel=0.15)
    assert found.max() < 0.3


def test_small_maps_have_fewer_modes():
    assert (waves_of(64), waves_of(16), count_modes(7)) == (15, 7, 224)
    one = lognormal(3, n=16)
    assert largest_correlation(phases_of(one), phases_of(one[None])) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("number", range(N_ORIENTATIONS[2]))
def test_every_orientation_is_undone(number):
    field = np.arange(16.0).reshape(4, 4)
    assert np.array_equal(orient(orient(field, number), inverse_of(number)), field)


def test_windows_are_turned_and_turned_back():
    rng = np.random.default_rng(0)
    fields = xr.DataArray(rng.normal(size=(9, 2, 4, 4)), dims=("sample", "channel", "y", "x"))
    there = turned(fields)
    assert not any(np.array_equal(a, b) for a, b in zip(there.values, fields.values, strict=True))
    xr.testing.assert_identical(turned(there, back=True), fields)


def ensemble(seed, n_members=2, shift=0.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(6, n_members, 1, 40, 40)) + shift
    return xr.DataArray(
        values, dims=("sample", "member", "channel", "y", "x"), coords={"channel": ["gas"]}
    )


@pytest.mark.parametrize("n_members", [2, 5])
def test_the_difference_of_turns_is_the_square_of_the_shift(n_members):
    """Unit variance: a shift of half a sigma is 0.25, none is 0, for any number of members."""
    same = turn_difference(ensemble(1, n_members), ensemble(2, n_members), OWNERS, RUNS)
    moved = turn_difference(ensemble(1, n_members, 0.5), ensemble(2, n_members), OWNERS, RUNS)
    assert same.sel(estimate="value").item() == pytest.approx(0.0, abs=0.05)
    assert moved.sel(estimate="value").item() == pytest.approx(0.25, abs=0.05)
    low, high = (same.sel(estimate=name).item() for name in ("low", "high"))
    assert low < same.sel(estimate="value").item() < high


def test_the_ratio_of_scores_is_one_of_the_same_members_and_more_of_wrong_ones():
    members, truth = ensemble(1), ensemble(3, 1).isel(member=0)
    same = score_ratio(members, members, truth, OWNERS, RUNS)
    assert (same == 1.0).all()
    assert same["scored"].values.tolist() == ["pixels", "window means"]
    wrong = score_ratio(members + 3.0, members, truth, OWNERS, RUNS).sel(channel="gas")
    pixels, means = (wrong.sel(estimate="value", scored=name) for name in same["scored"].values)
    # CRPS of N(3, 1) and of N(0, 1) at N(0, 1): E|x - y| - E|x - x'| / 2 of normal variables
    own = 2 / np.sqrt(np.pi)
    moved = foldnorm(3 / np.sqrt(2), scale=np.sqrt(2)).mean()
    assert pixels.item() == pytest.approx((moved - own / 2) / (own / 2), rel=0.05)
    assert means.item() > 20


def test_one_of_every_run_comes_first():
    runs = {"CV_0": "a", "CV_1": "b", "SB_0": "c", "SB_1": "c", "SB_2": "c", "SB_3": "a"}
    assert by_runs(runs) == ["CV_0", "CV_1", "SB_0", "SB_3", "SB_1", "SB_2"]
    assert one_of_each_run(runs) == ["CV_0", "CV_1", "SB_0"]


def test_parameters_are_lent_by_those_of_the_nearest_density():
    own = {"Omega_m": 0.3, "A": 1.0}
    others = {
        "same": dict(own),
        "near": {"Omega_m": 0.3, "A": 2.0},
        "also": {"Omega_m": 0.3, "A": 0.5},
        "far": {"Omega_m": 0.5, "A": 1.0},
    }
    assert partners_of(own, others, "Omega_m") == ["near", "also"]
    assert partners_of(own, others, None) == ["near", "also", "far"]
    assert partners_of(own, {"same": own}, "Omega_m") == []


def test_windows_at_even_ranks_have_the_nearest_in_mass_as_partner():
    masses = [5.0, 1.0, 2.0, 8.0, 4.9, 2.1]  # ranks: 1, 2, 2.1, 4.9, 5, 8
    assert spread_by_mass(masses, 2) == [(2, 5), (0, 4)]
    assert len(spread_by_mass(masses, 100)) == len(masses)
    assert all(window != partner for window, partner in spread_by_mass(masses, 100))
