"""The numbers of a calibration: factors by least squares, thresholds by counting."""

import numpy as np
import pytest

from emulator.io import EmulatorError
from emulator.sampling.calibration.draws import Drawn
from emulator.sampling.calibration.factors import fit_factors, scores
from emulator.sampling.calibration.occupancy import threshold_shift

WEIGHTS = np.array([[0.8, 0.15, 0.05], [0.5, 0.3, 0.2], [0.2, 0.4, 0.4], [0.05, 0.25, 0.7]])
"""Shares of three noises in the variance of means over squares, by side."""


def linear_model(log_factors, weights=WEIGHTS):
    """What a linear ensemble has whose noise should be larger by these factors, by field."""

    def draw(u):
        variance = (weights * np.exp(2 * (u - log_factors))[:, None, :]).sum(-1)
        return Drawn(0.5 * np.log(variance), [], None)

    return draw


def test_one_factor_is_the_ratio_itself():
    """Q = u - ln f, at every side: one step reaches it but for the ridge, two leave nothing."""
    wanted = np.log([[1.3], [0.7], [1.0]])
    u, first, last = fit_factors(linear_model(wanted, np.ones((4, 1))), 3, 1, rounds=2, largest=2.0)
    np.testing.assert_allclose(u, wanted, atol=1e-4)
    np.testing.assert_allclose(first.log_ratios, np.tile(-wanted, (1, 4)), atol=1e-12)
    np.testing.assert_allclose(last.log_ratios, 0.0, atol=1e-4)


def test_factors_by_length_are_told_apart_by_side():
    wanted = np.log([[1.4, 0.8, 1.2], [0.9, 1.1, 0.7]])
    u, first, last = fit_factors(linear_model(wanted), 2, 3, rounds=8, largest=2.0)
    assert np.abs(first.log_ratios).max() > 0.1
    np.testing.assert_allclose(last.log_ratios, 0.0, atol=5e-3)
    np.testing.assert_allclose(u, wanted, atol=0.1)


def test_factors_stay_within_their_bound():
    u, _, last = fit_factors(
        linear_model(np.log([[5.0], [0.1]]), np.ones((4, 1))), 2, 1, rounds=3, largest=1.5
    )
    np.testing.assert_allclose(np.exp(u), [[1.5], [1 / 1.5]], rtol=1e-9)
    np.testing.assert_allclose(np.exp(last.log_ratios[:, 0]), [0.3, 10 / 1.5], rtol=1e-9)


@pytest.mark.parametrize(("most", "found"), [(0.11, 0.0), (0.14, 0.13)])
def test_a_step_that_makes_one_field_worse_is_taken_by_the_others(most, found):
    """The second field does the opposite of what its derivative says if it moves too far.

    Half a step may still be good.
    """
    wanted = np.log([[1.3], [1.3]])
    plain = linear_model(wanted, np.ones((4, 1)))

    def draw(u):
        log_ratios = plain(u).log_ratios
        if u[1, 0] > most:
            log_ratios[1] = -2.0
        return Drawn(log_ratios, [], None)

    u, _, last = fit_factors(draw, 2, 1, rounds=1, largest=2.0)
    np.testing.assert_allclose(u[:, 0], [wanted[0, 0], found], atol=5e-3)
    np.testing.assert_allclose(last.log_ratios[1], u[1, 0] - wanted[1, 0], atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_gets_worse_whatever_the_model_does(seed):
    """Numbers at random, the same for the same factors, and some that are no fields at all."""
    shape, seen = (3, 4), []

    def draw(u):
        rng = np.random.default_rng([seed, *np.abs(u).ravel().view(np.uint32)])
        if rng.random() < 0.2 and seen:
            raise EmulatorError("no field")
        seen.append(u)
        return Drawn(rng.normal(size=shape), [], None)

    u, first, last = fit_factors(draw, 3, 2, rounds=3, largest=2.0)
    defined = np.ones(shape, bool)
    assert (scores(last.log_ratios, defined) <= scores(first.log_ratios, defined)).all()
    np.testing.assert_array_equal(draw_again(draw, u, seen), last.log_ratios)


def draw_again(draw, u, seen):
    seen.clear()
    return draw(u).log_ratios


def test_a_field_without_spread_or_error_keeps_its_noise():
    def draw(u):
        return Drawn(np.array([[np.nan] * 2, [-np.inf] * 2, [-0.2, -0.2]]) + u, [], None)

    u, _, _ = fit_factors(draw, 3, 1, rounds=2, largest=2.0)
    np.testing.assert_allclose(u, [[0.0], [0.0], [0.2]], atol=1e-3)


def test_a_model_that_draws_no_fields_is_refused():
    def draw(u):
        raise EmulatorError("no field")

    with pytest.raises(EmulatorError, match="no field"):
        fit_factors(draw, 1, 1, rounds=1, largest=2.0)


# --------------------------------------------------------------------------------- thresholds


def share_above(values, shift, threshold):
    return float((values - shift > threshold).mean())


@pytest.mark.parametrize("share", [0.0, 0.013, 0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("threshold", [-3.0, 0.0, 0.4, 3.0])
def test_the_threshold_is_an_exact_quantile(share, threshold):
    values = np.random.default_rng(0).normal(size=(8, 125)).astype(np.float32)
    shift = threshold_shift(values, share, threshold)
    assert share_above(values.astype(float), shift, threshold) == pytest.approx(share, abs=5e-4)


def test_equal_values_stay_together_on_the_closer_side():
    values = np.repeat([-1.0, 0.5, 2.0], [50, 30, 20])
    for share, nearest in ((0.2, 0.2), (0.3, 0.2), (0.4, 0.5), (0.55, 0.5), (0.9, 1.0), (0.0, 0.0)):
        shift = threshold_shift(values, share, 0.0)
        assert share_above(values, shift, 0.0) == nearest


def test_a_share_that_is_right_moves_nothing():
    values = np.concatenate([np.full(90, -1.0), np.full(10, 1.0)])
    assert threshold_shift(values, 0.1, 0.3) == 0.0
    assert threshold_shift(values, 0.104, 0.3) == 0.0
    assert threshold_shift(values, 0.1, -5.0) != 0.0


def test_two_peaks_move_little():
    """Each as wide as 0.05: 2 % more pixels are found at the foot of the lower one."""
    rng = np.random.default_rng(1)
    values = np.where(rng.random(20000) < 0.2, 1.0, -1.0) + 0.05 * rng.normal(size=20000)
    share = share_above(values, 0.0, 0.0)
    shift = threshold_shift(values, share + 0.02, 0.0)
    assert -1.0 < shift < -0.8
    assert share_above(values, shift, 0.0) == pytest.approx(share + 0.02, abs=1e-4)


@pytest.mark.parametrize(("values", "share"), [([], 0.1), ([1.0], -0.1), ([1.0], np.nan)])
def test_what_is_no_share_is_refused(values, share):
    with pytest.raises(ValueError, match="share of 0 to 1"):
        threshold_shift(np.array(values), share, 0.0)
