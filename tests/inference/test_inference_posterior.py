"""Ranks, intervals and coverage of weighted draws, by closed forms."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from emulator.inference.coverage import measure_coverage
from emulator.inference.posterior import add_ranks, intervals
from emulator.io import EmulatorError


def gaussian(means, n_points=2001):
    """Points that are even in [-6, 6], with the weights of unit Gaussians."""
    points = np.linspace(-6.0, 6.0, n_points)
    weights = norm.pdf(points - np.asarray(means)[:, None])
    weights /= weights.sum(1, keepdims=True)
    dims = ("sample", "draw")
    draws = np.broadcast_to(points[:, None], (len(means), n_points, 1))
    return xr.Dataset(
        {"draws": ((*dims, "param"), draws), "weight": (dims, weights)}, coords={"param": ["a"]}
    )


def test_weights_count_in_ranks_means_and_intervals():
    posterior = gaussian([0.0, 0.5])
    ranked = add_ranks(posterior, [{"a": 1.0}, {"a": 0.5}])
    np.testing.assert_allclose(ranked["rank"][:, 0], [norm.cdf(1.0), 0.5], atol=1e-3)
    found = intervals(posterior, 0.68)
    np.testing.assert_allclose(found["mean"][:, 0], [0.0, 0.5], atol=1e-3)
    half = norm.ppf(0.84)
    np.testing.assert_allclose(found["low"][:, 0], [-half, 0.5 - half], atol=1e-2)
    np.testing.assert_allclose(found["high"][:, 0], [half, 0.5 + half], atol=1e-2)


def test_coverage_counts_central_intervals():
    ranks = np.array([0.5, 0.17, 0.83, 0.951, 0.04, 0.15, 0.5, 0.5, 0.5, 0.5])
    found = measure_coverage(
        xr.Dataset({"rank": (("sample", "param"), ranks[:, None])}, coords={"param": ["a"]})
    )
    np.testing.assert_allclose(found["coverage"][:, 0], [0.7, 0.8])
    np.testing.assert_allclose(found["standard_error"], np.sqrt([0.02176, 0.009]))


def test_right_posteriors_cover_and_too_narrow_ones_do_not():
    """Truths of unit Gaussians about what is known: as often as they should; of half the width."""
    rng = np.random.default_rng(0)
    means = rng.uniform(-1, 1, 400)
    shares = {}
    for width in (1.0, 0.5):
        truths = [{"a": m + e / width} for m, e in zip(means, rng.normal(size=400), strict=True)]
        shares[width] = measure_coverage(add_ranks(gaussian(means, 301), truths))["coverage"]
    np.testing.assert_allclose(shares[1.0][:, 0], [0.68, 0.90], atol=0.06)
    half = [2 * norm.cdf(0.5 * norm.ppf((1 + level) / 2)) - 1 for level in (0.68, 0.90)]
    np.testing.assert_allclose(shares[0.5][:, 0], half, atol=0.08)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda p: add_ranks(p, [{"a": 1.0}]), "truth: expected 2 rows, got 1"),
        (lambda p: add_ranks(p, {"b": 1.0}), r"expected values of \['a'\]"),
        (measure_coverage, "expected ranks"),
        (
            lambda p: measure_coverage(add_ranks(p, {"a": 1.0}).isel(sample=[0])),
            "two cases or more, got 1",
        ),
    ],
)
def test_what_says_nothing_is_refused(call, said):
    with pytest.raises(EmulatorError, match=said):
        call(gaussian([0.0, 0.5], 11))
