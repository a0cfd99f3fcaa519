"""Stacks and scatter of halos against closed forms, brute force, and ensembles with one fault."""

from itertools import pairwise

import judged
import numpy as np
import pytest
import refused
import xarray as xr

from emulator.metrics.halo_scatter import (
    LEAST_HALOS,
    HaloScatter,
    extreme_ratios,
    pooled_scatter,
    residual_covariance,
)
from emulator.metrics.halo_stacks import HaloStacks
from emulator.metrics.halos import WindowHalos, annulus_weights, is_inside

CHANNELS = ["dm_hydro", "gas", "stars"]
SIDE, RADIUS = 24, 2.0
BIN = "13 to 13.5"
METRICS = (HaloStacks(), HaloScatter())


def test_annuli_have_the_areas_of_rings():
    edges = np.array([0.0, 1.5, 4.0, 6.0])
    weights = annulus_weights(12.3, 11.1, edges, SIDE)
    expected = np.pi * np.diff(edges**2)
    assert weights.sum((1, 2)) == pytest.approx(expected, rel=0.01)
    assert (weights.sum(0) <= 1 + 1e-12).all()


def test_annuli_are_those_of_a_fine_grid():
    """Brute force: 200 points along the side of a pixel, one pixel at a time."""
    edges, y, x = np.array([0.0, 1.3, 2.9]), 4.2, 6.9
    found = annulus_weights(y, x, edges, 9)
    offsets = (np.arange(200) + 0.5) / 200
    for row, column in np.ndindex(9, 9):
        r = np.hypot(row + offsets[:, None] - y, column + offsets[None, :] - x)
        share = [((r >= a) & (r < b)).mean() for a, b in pairwise(edges)]
        assert found[:, row, column] == pytest.approx(share, abs=0.035)


def test_a_circle_is_inside_where_no_point_of_its_rim_leaves_the_window():
    rng = np.random.default_rng(0)
    y, x, radius = rng.uniform(0, 10, 300), rng.uniform(0, 10, 300), rng.uniform(0.1, 5, 300)
    angle = np.linspace(0, 2 * np.pi, 721)
    rim = np.stack([y[:, None] + radius[:, None] * np.sin(angle),
                    x[:, None] + radius[:, None] * np.cos(angle)])  # fmt: skip
    expected = ((rim >= 0) & (rim <= 10)).all((0, 2))
    assert (is_inside(y, x, radius, 10) == expected).all()


def test_scatter_is_that_about_a_line():
    rng = np.random.default_rng(1)
    m = rng.normal(size=200)
    y = np.stack([0.7 * m + rng.normal(size=200), 2.0 - m + 0.3 * rng.normal(size=200)], -1)
    residual = np.stack([y[:, i] - np.polyval(np.polyfit(m, y[:, i], 1), m) for i in (0, 1)])
    u = np.concatenate([np.ones((200, 1)), m[:, None], y], -1)
    moments = u.T @ u
    assert residual_covariance(moments) == pytest.approx(np.cov(residual, ddof=0))
    # a mean over runs is any multiple of the sums
    assert residual_covariance(moments / 7.0) == pytest.approx(np.cov(residual, ddof=0))


def test_bins_are_pooled_by_their_halos_and_small_ones_left_out():
    rng = np.random.default_rng(2)
    u = [np.concatenate([np.ones((n, 1)), rng.normal(size=(n, 2))], -1) for n in (30, 90, 5)]
    moments = np.stack([each.T @ each for each in u])
    found = pooled_scatter(moments, np.array([True, True, False]))
    single = residual_covariance(moments)
    assert found[:2] == pytest.approx(single[:2])
    assert np.isnan(found[2]).all()
    assert found[3] == pytest.approx((30 * single[0] + 90 * single[1]) / 120)
    assert np.isnan(pooled_scatter(moments, np.zeros(3, bool))).all()


def test_the_worst_combination_of_masses():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(3, 3))
    truth = root @ root.T
    assert extreme_ratios(4 * truth, truth) == pytest.approx([2, 2])
    members = root @ np.diag([0.25, 1.0, 9.0]) @ root.T
    assert extreme_ratios(members, truth) == pytest.approx([0.5, 3.0])
    assert np.isnan(extreme_ratios(truth, np.zeros((3, 3)))).all()


def planted(seed, n_halos=12, n_members=4):
    """One halo a window, whose masses scatter jointly; truth and members are draws of one law."""
    rng = np.random.default_rng(seed)
    log_mass = rng.uniform(13.05, 13.45, n_halos)
    ring = annulus_weights(SIDE / 2, SIDE / 2, np.array([0.0, RADIUS]), SIDE)[0]
    root = np.array([[0.02, 0, 0], [0.03, 0.1, 0], [0.0, 0.1, 0.15]])
    scatter = rng.normal(size=(n_halos, n_members + 1, 3)) @ root.T
    log = log_mass[:, None, None] + np.array([-0.1, -0.9, -1.9]) + scatter
    fields = 10 ** log[..., None, None] * (ring / ring.sum()) + 1.0e7
    ensemble = xr.Dataset(
        {
            "fields": (("sample", "member", "channel", "y", "x"), fields[:, 1:]),
            "truth": (("sample", "channel", "y", "x"), fields[:, 0]),
            "condition": (("sample", "y", "x"), fields[:, 0].sum(1)),
        },
        coords={"channel": CHANNELS},
    )
    place = np.full(n_halos, SIDE / 2)
    radius = np.full(n_halos, RADIUS * 0.2)
    halos = WindowHalos(np.arange(n_halos), place, place, 10**log_mass, radius)
    return ensemble, halos


def judge(made):
    more = [{"halos": halos} for _, halos in made]
    return judged.summarised([ensemble for ensemble, _ in made], *METRICS, more=more)


def value(summary, name, **where):
    return summary[name].sel(estimate="value", **where).values


@pytest.fixture(scope="module")
def made():
    return [planted(seed, n_halos=40) for seed in range(12)]


def spoiled(made, change):
    return judge([(ensemble.assign(fields=change(ensemble)), halos) for ensemble, halos in made])


def test_draws_of_the_law_have_its_masses_and_its_scatter(made):
    summary = judge(made)
    assert value(summary, "halo_count", halo_mass=BIN) == 480
    assert value(summary, "halo_mass_ratio", halo_mass=BIN) == pytest.approx(1.0, abs=0.08)
    assert value(summary, "halo_scatter_ratio", scatter_mass="all") == pytest.approx(1, abs=0.1)
    truth = np.array([np.hypot(0.03, 0.1), np.hypot(0.1, 0.15)])
    assert value(summary, "halo_scatter_members", scatter_mass=BIN)[:2] == pytest.approx(
        truth, rel=0.1
    )
    pair = value(summary, "halo_correlation_members", scatter_mass=BIN, scatter_pair="gas, stars")
    assert pair == pytest.approx(0.1 * 0.1 / truth.prod(), abs=0.07)


def test_masses_and_shares_are_those_that_were_planted(made):
    summary = judge(made)
    ring = annulus_weights(SIDE / 2, SIDE / 2, np.array([0.0, RADIUS]), SIDE)[0]
    inner = np.mean([(e["truth"].values * ring).sum((-2, -1)) for e, _ in made], axis=(0, 1))
    assert value(summary, "halo_mass_truth", halo_mass=BIN)[:3] == pytest.approx(inner, rel=1e-6)
    share = value(summary, "halo_share_truth", halo_mass=BIN)
    assert share == pytest.approx([*inner / inner.sum(), 1.0])
    baryons = value(summary, "halo_baryons_truth", halo_mass=BIN)
    assert baryons == pytest.approx(share[1:3].sum())
    profile = value(summary, "halo_profile_truth", halo_mass=BIN, field="gas")
    assert profile[3] == pytest.approx(1.0e7)


def test_lost_mass_is_seen(made):
    summary = spoiled(made, lambda ensemble: 0.9 * ensemble["fields"])
    found, right = (
        value(each, "halo_mass_ratio", halo_mass=BIN) for each in (summary, judge(made))
    )
    assert found == pytest.approx(0.9 * right)
    low, high = summary["halo_mass_ratio"].sel(halo_mass=BIN, estimate=["low", "high"]).values
    assert high[3] < 1 - (high[3] - low[3])


def test_the_mean_of_members_has_the_masses_and_not_the_scatter(made):
    def mean(ensemble):
        fields = ensemble["fields"]
        return (fields.mean("member") + 0 * fields).transpose(*fields.dims)

    summary = spoiled(made, mean)
    assert value(summary, "halo_mass_ratio", halo_mass=BIN) == pytest.approx(1.0, abs=0.08)
    assert (value(summary, "halo_scatter_ratio", scatter_mass="all") < 0.65).all()


def test_masses_that_are_right_one_by_one_and_not_together(made):
    """Stars of another halo: the scatter stays, the correlation goes; marginals do not see it."""

    def shuffled(ensemble):
        fields = ensemble["fields"].copy(deep=True)
        fields[:, :, 2] = np.roll(fields.values[:, :, 2], 1, axis=1)
        return fields

    summary, right = spoiled(made, shuffled), judge(made)
    name, where = "halo_correlation_members", {"scatter_mass": BIN, "scatter_pair": "gas, stars"}
    assert value(right, name, **where) > 0.4
    assert abs(value(summary, name, **where)) < 0.12
    extreme = {"scatter_mass": BIN, "extreme": "most"}
    assert value(right, "halo_scatter_extreme", **extreme) < 1.12
    assert value(summary, "halo_scatter_extreme", **extreme) > 1.3
    marginal = value(summary, "halo_scatter_ratio", scatter_mass=BIN, scatter_of=["gas", "stars"])
    assert marginal == pytest.approx(1.0, abs=0.1)


def test_halos_that_are_cut_or_unresolved_are_counted_and_left_out():
    ensemble, halos = planted(0)
    n = len(halos)
    x, radius = halos.x.copy(), halos.r200c_mpch.copy()
    x[:3], radius[3:5] = 1.0, 0.1
    mass = halos.m200c_msunh.copy()
    mass[5] = 1e9
    moved = WindowHalos(halos.sample, halos.y, x, mass, radius)
    summary = judge([(ensemble, moved), (ensemble, moved)])
    counts = [value(summary, f"halo_{k}", halo_mass=BIN) for k in ("count", "cut", "unresolved")]
    assert counts == [2 * (n - 6), 6, 4]
    assert np.isnan(value(summary, "halo_mass_truth", halo_mass="12 to 12.5")).all()


def test_bins_of_few_halos_have_no_scatter_and_nothing_is_said_without_halos():
    ensemble, halos = planted(0, n_halos=LEAST_HALOS // 2 - 1)
    summary = judge([(ensemble, halos), (ensemble, halos)])
    assert np.isnan(value(summary, "halo_scatter_ratio", scatter_mass=[BIN, "all"])).all()
    one = judge([(ensemble, halos)])
    assert np.isnan(one["halo_mass_ratio"].sel(estimate="low")).all()
    nothing = judged.summarised([ensemble, ensemble], *METRICS)
    assert not [name for name in nothing.data_vars if "halo" in str(name)]


def brightest(ensemble):
    """The densest pixels of windows as halos, as a catalogue would have them."""
    condition = ensemble["condition"].values
    side = condition.shape[-1]
    middle = condition[:, 4:-4, 4:-4].reshape(len(condition), -1).argmax(1)
    y, x = np.unravel_index(middle, (side - 8, side - 8))
    n = len(y)
    return WindowHalos(
        np.arange(n), y + 4.5, x + 4.5, 10 ** np.linspace(13.1, 13.4, n), np.full(n, 0.25)
    )


@pytest.mark.parametrize("kind", ["calibrated", "mass_losing", "blurred", "ignorant"])
def test_the_faults_of_the_refused(kind):
    """One that ignores the parameters has the right stacks: scores see it, and responses."""
    suite = [s for s in refused.simulations() if s.name.startswith("CV")]
    ensembles = [refused.make_ensemble(s, kind, n_windows=12) for s in suite]
    summary = judge([(ensemble, brightest(ensemble)) for ensemble in ensembles])
    ratio = summary["halo_profile_ratio"].sel(halo_mass=BIN, field=["dm_hydro", "total"])
    centre = ratio.sel(estimate="value").isel(radius=0).values
    if kind in ("mass_losing", "blurred"):
        assert (centre < 0.95).all()
    else:
        assert centre == pytest.approx(1.0, abs=0.04)
