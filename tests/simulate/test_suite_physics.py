"""The numbers of the benchmark page, as tests: gravity, baryons and the known truth.

The short ones use fewer seeds than the page; those marked `long` are the page's own.
"""

import numpy as np
import pytest

from analysis.benchmarks.suite import baryons, gravity, truth
from analysis.benchmarks.suite.runs import DEMO, dark_matter_run, draw, power
from analysis.benchmarks.tables import Measurement

TINY = DEMO.model_copy(update={"n_particles": 32, "mesh": 64, "n_steps": 20})


def all_met(measurement: Measurement) -> bool:
    missed = [bar.cells() for bar in measurement.bars if not bar.met]
    assert not missed
    return bool(measurement.bars)


def test_power_of_random_particles_is_their_shot_noise() -> None:
    rng = np.random.default_rng(0)
    positions, masses = rng.uniform(0, 10.0, size=(20_000, 3)), rng.uniform(0.5, 1.5, size=20_000)
    k, found = power([(positions, masses)], 10.0, np.array([2.0, 4.0, 6.0, 8.0]), 32)
    expected = 1e3 * (masses**2).sum() / masses.sum() ** 2
    np.testing.assert_allclose(found, expected, rtol=0.1)
    assert (np.diff(k) > 0).all()
    # Equal weights take another kernel.
    one = power([(positions, 1.0)], 10.0, np.array([2.0, 4.0, 6.0]), 32)[1]
    parts = [(positions[:5000], np.full(5000, 1.0)), (positions[5000:], np.full(15_000, 1.0))]
    np.testing.assert_allclose(one, power(parts, 10.0, np.array([2.0, 4.0, 6.0]), 32)[1], rtol=1e-4)


def test_halo_content_counts_what_lies_inside() -> None:
    run = dark_matter_run(TINY, 1)
    hydro = draw(run, (1, 1))
    gas, stars = baryons.contents(run, hydro, TINY.box_size_mpch)
    halo = int(np.argmax(run.halos.m200c))
    box, inside = TINY.box_size_mpch, []
    for positions, masses in ((hydro.gas, hydro.gas_masses), (hydro.stars, hydro.star_masses)):
        apart = np.abs(np.mod(positions, box) - run.halos.positions[halo])
        distance = np.linalg.norm(np.minimum(apart, box - apart), axis=1)
        inside.append(masses[distance < run.halos.r200c[halo]].sum())
    share = 0.049 / 0.3 * run.halos.m200c[halo]
    assert (gas[halo], stars[halo]) == pytest.approx((inside[0] / share, inside[1] / share))


@pytest.mark.slow
def test_environment_is_a_known_ablation() -> None:
    assert all_met(truth.environment())


@pytest.mark.slow
def test_small_fluctuations_keep_their_linear_power() -> None:
    k, ratio = gravity.growth_ratio(DEMO, 1)
    assert k.max() < 1.0
    np.testing.assert_allclose(ratio, 1.0, atol=0.02)


@pytest.mark.slow
def test_baryons_suppress_power_as_published() -> None:
    edges = np.array([0.2, 0.5, 5.0, 7.0, 9.0, 11.0, 15.0])
    values = np.array([baryons.suppression_of(DEMO, seed, edges) for seed in (1, 2, 3, 4)])
    np.testing.assert_allclose(values[:, 0], 1.0, atol=0.01)
    mean = values.mean(axis=0)[2:]
    assert mean.min() > 0.80
    assert mean.max() < 0.95


@pytest.mark.slow
def test_agn_deepen_the_suppression() -> None:
    mean, error = baryons.response("A_AGN1", 0.25, 4.0, np.array([9.0, 11.0]))
    assert mean[0] < -3 * error[0]


@pytest.mark.slow
def test_redraws_cover_each_other_and_scatter_as_designed() -> None:
    assert all_met(truth.pixels(n_runs=1, coverage_tolerance=0.1))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "measure",
    [
        gravity.growth,
        gravity.transfer,
        gravity.large_box,
        gravity.convergence,
        baryons.suppression,
        baryons.responses,
        truth.pixels,
    ],
    ids=lambda measure: measure.__name__,
)
def test_the_bars_of_the_page_are_met(measure) -> None:
    assert all_met(measure())
