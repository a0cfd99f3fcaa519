"""Tests of two samples: their law where there is no difference, and what they must tell apart."""

import judged
import numpy as np
import pytest
import refused
from scipy import stats
from scipy.spatial.distance import cdist

from emulator.metrics.discriminant import cross_fit_accuracy, fit_discriminant
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.two_sample import LEAST_WINDOWS, TwoSample
from emulator.metrics.voronoi_counts import count_chi2, voronoi_cells
from emulator.metrics.window_summaries import residuals_of, window_residuals


def test_cells_are_those_of_the_nearest_reference():
    rng = np.random.default_rng(0)
    points, references = rng.normal(size=(40, 3, 5)), rng.normal(size=(7, 5))
    found = voronoi_cells(points, references)
    expected = cdist(points.reshape(-1, 5), references).argmin(1).reshape(40, 3)
    assert (found == expected).all()


def test_chi_square_is_that_of_the_contingency_table():
    rng = np.random.default_rng(1)
    a, b = rng.multinomial(200, np.ones(6) / 6), rng.multinomial(90, np.ones(6) / 6)
    expected = stats.chi2_contingency(np.stack([a, b]), correction=False).statistic
    assert count_chi2(a, a + b, 200, 290) == pytest.approx(expected)
    # a cell without points adds nothing
    more = [np.append(each, 0) for each in (a, a + b)]
    assert count_chi2(*more, 200, 290) == pytest.approx(expected)
    with pytest.raises(ValueError, match="not empty, got 0 and 5"):
        count_chi2(np.zeros(2), np.array([2, 3]), 0, 5)


@pytest.mark.parametrize("law", ["normal", "exponential"])
def test_of_one_law_it_has_mean_and_variance_of_chi_square(law):
    """Cells of independent points: R - 1 degrees of freedom, whatever the law."""
    rng = np.random.default_rng(2)
    cells, n_a, n_b, values = 12, 500, 900, []
    for _ in range(1500):
        points = getattr(rng, law)(size=(n_a + n_b, 3))
        references = getattr(rng, law)(size=(cells, 3))
        number = voronoi_cells(points, references)
        total = np.bincount(number, minlength=cells)
        of_a = np.bincount(number[:n_a], minlength=cells)
        values.append(count_chi2(of_a, total, n_a, n_a + n_b))
    error = np.sqrt(2 * (cells - 1) / len(values))
    assert np.mean(values) == pytest.approx(cells - 1, abs=4 * error)
    assert np.var(values) == pytest.approx(2 * (cells - 1), rel=0.15)


def test_the_discriminant_of_two_normals_has_the_accuracy_of_the_closed_form():
    """Means apart by d along one axis: Phi(d / 2) on each side."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=(6000, 1, 4)) + np.array([1.0, 0, 0, 0])
    b = rng.normal(size=(6000, 1, 4))
    found = cross_fit_accuracy(a, b, np.arange(6000) % 3).mean()
    assert found == pytest.approx(stats.norm.cdf(0.5), abs=0.012)
    weights, threshold = fit_discriminant(a[:, 0], b[:, 0])
    assert weights / weights[0] == pytest.approx([1, 0, 0, 0], abs=0.06)
    assert threshold / weights[0] == pytest.approx(0.5, abs=0.05)
    with pytest.raises(ValueError, match="2 points of each sample"):
        fit_discriminant(a[:1, 0], b[:, 0])


def test_equal_samples_are_not_told_apart():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(200):
        points = rng.normal(size=(60, 5, 6))
        found.append(cross_fit_accuracy(points[:, :1], points[:, 1:], np.arange(60) % 6).mean())
    assert np.mean(found) == pytest.approx(0.5, abs=4 * np.std(found) / np.sqrt(200))


def test_one_group_has_no_cross_fit():
    points = np.random.default_rng(5).normal(size=(20, 3, 2))
    assert np.isnan(cross_fit_accuracy(points[:, :1], points[:, 1:], np.zeros(20, int))).all()


def test_residuals_do_not_know_which_draw_is_the_truth():
    values = np.random.default_rng(6).gamma(1.0, size=(5, 4, 2, 3))
    values[0, 0, 1] = 0.0
    found = residuals_of(values, [False, True])
    assert np.isfinite(found).all()
    assert found.sum(axis=1) == pytest.approx(0, abs=1e-12)
    order = [2, 0, 3, 1]
    assert residuals_of(values[:, order], [False, True]) == pytest.approx(found[:, order])


def ensembles(kind, n_windows=12):
    suite = [s for s in refused.simulations() if s.name.startswith("CV")]
    return [refused.make_ensemble(s, kind, n_windows=n_windows) for s in suite]


def test_residuals_are_of_the_mean_and_the_power_of_windows():
    ensemble = ensembles("calibrated", 3)[0]
    case = judged.make_case(ensemble)
    found = window_residuals(case)
    assert found.shape == (3, 9, 3, 4)
    draws = np.concatenate([ensemble["truth"].values[:, None], ensemble["fields"].values], axis=1)
    means = np.log(draws[:, :, 1].mean((-2, -1), dtype=np.float64))
    expected = means - means.mean(axis=1, keepdims=True)
    assert found[:, :, 1, 0] == pytest.approx(expected, abs=1e-3)


@pytest.fixture(scope="module")
def found():
    kinds = ("calibrated", "under_dispersed", "blurred", "mass_losing", "over_dispersed")
    return {kind: judged.summarised(ensembles(kind), TwoSample()) for kind in kinds}


def value(summary, name):
    return summary[name].sel(estimate="value").values


def test_draws_of_the_law_are_not_told_from_the_truth(found):
    summary = found["calibrated"]
    assert value(summary, "classifier_accuracy") == pytest.approx(0.5, abs=0.09)
    assert value(summary, "classifier_accuracy_joint") == pytest.approx(0.5, abs=0.09)
    assert (value(summary, "voronoi_p") > 0.01).all()
    assert value(summary, "voronoi_p_joint") > 0.01
    assert value(summary, "voronoi_excess_joint") == pytest.approx(1.0, abs=0.4)


@pytest.mark.parametrize("kind", ["under_dispersed", "blurred", "mass_losing", "over_dispersed"])
def test_wrong_ensembles_are_told_from_the_truth(found, kind):
    summary = found[kind]
    assert value(summary, "classifier_accuracy_joint") > 0.62
    assert value(summary, "voronoi_p_joint") == pytest.approx(1 / 200)
    assert value(summary, "voronoi_excess_joint") > 1.5


def test_the_share_of_relabelled_draws_is_uniform_where_the_truth_is_one():
    """A member in place of the truth, each in turn: few of them are small.

    Windows of one map overlap, and share the noise of a draw: a few more than one would think.
    """
    ensemble = ensembles("calibrated")
    shares = []
    for i in range(8):
        swapped = [
            each.assign(
                truth=each["fields"].isel(member=i),
                fields=each["fields"].copy(
                    data=np.where(
                        (np.arange(8) == i)[None, :, None, None, None],
                        each["truth"].values[:, None],
                        each["fields"].values,
                    )
                ),
            )
            for each in ensemble
        ]
        summary = judged.summarised(swapped, TwoSample())
        shares += [*value(summary, "voronoi_p"), value(summary, "voronoi_p_joint")]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.2)
    assert np.mean(np.array(shares) <= 0.05) < 0.2


def test_few_windows_and_one_run_are_gaps():
    few = judged.summarised(ensembles("calibrated", 6), TwoSample())
    assert LEAST_WINDOWS > 6 * 6
    for name in TwoSample.variables:
        assert np.isnan(few[name]).all()
    one = ensembles("calibrated", LEAST_WINDOWS)[:1]
    summary = judged.summarised(one, TwoSample())
    assert np.isnan(summary["classifier_accuracy"]).all()
    assert np.isfinite(value(summary, "voronoi_p")).all()


def test_a_run_is_left_out_as_a_whole():
    """Simulations of one run share phases: both are judged by a classifier that saw neither."""
    made = ensembles("calibrated")[:4]
    summary = judged.summarised(made, TwoSample())
    stats_only = summary[["window_residual"]].assign_coords(
        run=("simulation", ["a", "a", "b", "b"]), channel=summary["channel"]
    )
    jackknife = Jackknife(stats_only["run"])
    paired = TwoSample().summarise(jackknife, stats_only, ())
    assert np.isfinite(paired["classifier_accuracy"].sel(estimate="value")).all()
    same = stats_only.assign_coords(run=("simulation", ["a"] * 4))
    alone = TwoSample().summarise(Jackknife(same["run"]), same, ())
    assert np.isnan(alone["classifier_accuracy"]).all()
