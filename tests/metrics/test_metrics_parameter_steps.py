"""Slopes against least squares; weights of a bootstrap against the variance of a mean."""

import numpy as np
import pytest
from scipy import stats

from emulator.metrics.parameter_steps import (
    draw_counts,
    slope_through_zero,
    slopes,
    step_weights,
)
from emulator.metrics.response import significant

# fiducial (0.4, 0.5, 0.2); two steps to either side of the first, one of the second, none of the
# third; the last simulation moves two at a time
PLACES = np.array(
    [[0.4, 0.5, 0.2], [0.0, 0.5, 0.2], [0.3, 0.5, 0.2], [0.7, 0.5, 0.2], [1.0, 0.5, 0.2],
     [0.4, 0.0, 0.2], [0.4, 1.0, 0.2], [0.0, 0.0, 0.2]]
)  # fmt: skip
STEPS = {0: [0, 1, 2, 3, 4], 1: [0, 5, 6]}


def test_a_response_is_the_slope_of_least_squares_through_steps_of_one_parameter():
    rng = np.random.default_rng(0)
    logs = rng.normal(size=(3, len(PLACES), 2, 4))
    found = slopes(logs, step_weights(PLACES))
    for parameter, rows in STEPS.items():
        for draw, field, summary in np.ndindex(3, 2, 4):
            line = np.polyfit(PLACES[rows, parameter], logs[draw, rows, field, summary], 1)
            assert found[draw, parameter, field, summary] == pytest.approx(line[0])
    assert np.isnan(found[:, 2]).all()


def test_with_one_step_to_either_side_it_is_the_difference():
    places = np.array([[0.5], [0.0], [1.0]])
    logs = np.array([5.0, 1.0, 4.0]).reshape(1, 3, 1, 1)
    assert slopes(logs, step_weights(places)).item() == pytest.approx(3.0)


def test_what_is_undefined_spoils_its_own_parameter_alone():
    logs = np.zeros((1, len(PLACES), 1, 1))
    logs[0, 1] = np.nan
    found = slopes(logs, step_weights(PLACES)).ravel()
    assert np.isnan(found[0])
    assert found[1] == 0.0


def test_the_order_of_simulations_does_not_matter():
    order = np.random.default_rng(1).permutation(len(PLACES))
    np.testing.assert_allclose(step_weights(PLACES)[:, order], step_weights(PLACES[order]))


def test_members_over_truth_is_a_weighted_regression_through_zero():
    rng = np.random.default_rng(2)
    truth, members, error = rng.normal(size=(3, 5, 6))
    judged = rng.random((5, 6)) > 0.3
    found = slope_through_zero(members, truth, np.abs(error), judged)
    for row, here in enumerate(judged):
        t, m, e = (each[row, here] for each in (truth, members, np.abs(error)))
        expected = np.linalg.lstsq((t / e)[:, None], m / e, rcond=None)[0]
        assert found[row] == pytest.approx(expected.item())
    nothing = np.zeros((5, 6), bool)
    assert np.isnan(slope_through_zero(members, truth, np.abs(error), nothing)).all()


@pytest.mark.parametrize("n_picked", [None, 12, 36])
def test_the_variance_of_a_mean_is_that_of_the_items_that_are_picked(n_picked):
    rng = np.random.default_rng(3)
    values = rng.normal(size=36)
    weights = draw_counts(36, 20_000, rng, n_picked=n_picked)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    means = weights @ values
    assert means[0] == pytest.approx(values.mean())
    assert means[1:].var() == pytest.approx(values.var() / (n_picked or 36), rel=0.04)


def test_few_windows_need_more_sigma_for_the_same_probability():
    for n_windows in (3, 16, 10_000):
        tail = stats.t.sf(significant(n_windows), n_windows - 1)
        assert tail == pytest.approx(stats.norm.sf(3.0), rel=1e-6)
    assert significant(16) > 3.5


def test_of_several_redshifts_the_lowest_answers_for_the_other_parameters():
    """The fiducial and two steps of each of two parameters, at z = 0 and 1."""
    steps = [(0.5, 0.5), (0.0, 0.5), (1.0, 0.5), (0.5, 0.2), (0.5, 0.8)]
    places = np.array([(*step, redshift) for redshift in (0.0, 1.0) for step in steps])
    first, second, redshift = step_weights(places)
    np.testing.assert_allclose(first, [0, -1, 1, *[0] * 7], atol=1e-12)
    np.testing.assert_allclose(second, [0, 0, 0, -1 / 0.6, 1 / 0.6, *[0] * 5], atol=1e-12)
    np.testing.assert_allclose(redshift, [-1, *[0] * 4, 1, *[0] * 4], atol=1e-12)
