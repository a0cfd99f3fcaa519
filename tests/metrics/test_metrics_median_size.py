"""The interval of a folded number holds the number, and the truth as often as it says."""

import numpy as np
import pytest

from emulator.metrics.median_size import median_size

EXPERIMENTS, DRAWS = 1500, 60


def experiments(true, *, shared=0.0, seed=0):
    """Slopes ``(1 + draw, parameter, experiment)`` with errors 1, and draws of such errors."""
    rng, n = np.random.default_rng([len(true), seed]), len(true)

    def errors(*shape):
        own = rng.standard_normal((*shape, n, EXPERIMENTS)) * np.sqrt(1.0 - shared)
        return own + np.sqrt(shared) * rng.standard_normal((*shape, 1, EXPERIMENTS))

    found = 1.0 + np.asarray(true, float)[:, None] + errors()
    return np.concatenate([found[None], found + errors(DRAWS)])


TRUE = {
    "none": lambda n: np.zeros(n),
    "as errors": np.ones,
    "far above errors": lambda n: np.full(n, 4.0),
    "from none on": lambda n: np.linspace(0.0, 4.0, n),
    "to both sides": lambda n: np.linspace(-4.0, 4.0, n),
}


@pytest.mark.parametrize("n_parameters", [1, 2, 4, 6])
@pytest.mark.parametrize("name", TRUE)
@pytest.mark.parametrize("shared", [0.0, 0.5])
def test_the_interval_covers_what_it_says(name, n_parameters, shared):
    true = TRUE[name](n_parameters)
    slopes = experiments(true, shared=shared)
    value, low, high = median_size(slopes, np.ones(slopes.shape[1:], bool))
    size = np.median(np.abs(true))
    share = np.mean((low <= size) & (size <= high))
    assert 0.60 <= share <= 0.85, share
    assert ((low <= value) & (value <= high)).all()
    assert (low >= 0.0).all()


def test_quantiles_of_the_draws_would_not_hold_the_value():
    """What is wrong with them, where a third of the size is errors; and what is not."""
    slopes = experiments([0.0, 0.5, 0.5, 1.5])
    drawn = np.median(np.abs(slopes - 1.0), axis=1)
    outside = drawn[0] < np.quantile(drawn[1:], 0.16, axis=0)
    assert outside.mean() > 0.1
    far = experiments([8.0, 9.0, 10.0])
    value, low, high = median_size(far, np.ones(far.shape[1:], bool))
    drawn = np.quantile(np.median(np.abs(far[1:] - 1.0), axis=1), [0.16, 0.84], axis=0)
    assert np.mean(high - low) == pytest.approx(np.mean(drawn[1] - drawn[0]), rel=0.1)
    assert value == pytest.approx(np.median(np.abs(far[0] - 1.0), axis=0))


def test_without_errors_there_is_no_width():
    slopes = np.tile(np.array([0.5, 1.2, 1.3])[:, None], (4, 1, 1))
    assert median_size(slopes, np.ones((3, 1), bool)).ravel() == pytest.approx([0.3] * 3)


def test_what_does_not_count_or_is_not_defined():
    slopes = np.full((3, 2, 4), 1.5)
    slopes[:, 1, 0] = 9.0  # does not count
    slopes[:, :, 2] = np.nan
    slopes[1, :, 3] = np.nan  # one draw of two
    counts = np.array([[True, False, True, True], [False, False, True, True]])
    value, low, high = median_size(slopes, counts)
    np.testing.assert_allclose(value, [0.5, np.nan, np.inf, 0.5])
    np.testing.assert_allclose(low, [0.5, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(high, [0.5, np.nan, np.nan, np.nan])
