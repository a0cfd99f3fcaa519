"""The quantile table against laws that are known: it is as good as the truth about a pixel."""

import dataclasses
from pathlib import Path

import fabricated
import numpy as np
import pytest
import xarray as xr
from scipy import special

from emulator.data.maps import Maps
from emulator.fields import Field, find_fields
from emulator.metrics.calibration import crps
from emulator.validation.baselines import Training
from emulator.validation.baselines.density_bins import fit_bins, overdensities
from emulator.validation.baselines.field_law import LEVELS, FieldLaw, fit_law
from emulator.validation.baselines.parameters import ParameterScale
from emulator.validation.baselines.quantile_table import QuantileTable
from emulator.validation.baselines.shares import Shares

N, MEMBERS = 64, 8
GAS, STARS = find_fields(["gas", "stars"])
VELOCITY = Field(
    name="velocity", label="velocity", unit="km/s", particles=("gas",), mean_of="velocity",
    signed=True, transform="asinh",
)  # fmt: skip
FIELDS = (GAS, STARS, VELOCITY)
SHARES = Shares((GAS, STARS), {"gas": 0.15, "stars": 0.01})
ATTRS = {"omega_m": 0.3, "omega_b": 0.048, "periodic": 1, "simulation": "toy"}


def dmo_maps(seed):
    simulation = dataclasses.replace(fabricated.simulations()[0], phases=seed)
    return fabricated.dmo_maps(simulation)


def law(dmo, feedback, noise):
    """Gas with a scatter that depends on density, stars in dense pixels, a signed velocity."""
    relative = dmo / dmo.mean((-2, -1), keepdims=True)
    width = 0.1 + 0.2 * np.tanh(relative)
    gas = 0.15 * dmo * np.exp(width * noise[0] - 0.3 * feedback)
    occupied = special.ndtr(noise[1]) < np.clip(relative / 6 * (1 + 0.3 * feedback), 0, 1)
    stars = 0.05 * dmo * occupied * np.exp(0.5 * noise[2] + 0.4 * feedback)
    velocity = 100 * np.log(relative) + 50 * noise[3] + 20 * feedback
    return np.stack([gas, stars, velocity], axis=-3)


def smooth(noise):
    """Correlated over some pixels, of unit variance."""
    freq = np.hypot(*np.meshgrid(np.fft.fftfreq(N), np.fft.rfftfreq(N), indexing="ij"))
    filtered = np.fft.irfft2(np.fft.rfft2(noise) * np.exp(-((freq * 8) ** 2)), s=(N, N))
    return filtered / filtered.std((-2, -1), keepdims=True)


def maps_of(seed, feedback, *, fields=None, shape=lambda noise: noise):
    dmo = dmo_maps(seed)
    noise = shape(np.random.default_rng([7, seed]).normal(size=(4, *dmo.shape)))
    values = np.concatenate([dmo[:, None], law(dmo, feedback, noise)], axis=1)
    return Maps(
        path=Path(f"{seed}.h5"), maps=values.astype(np.float32), context={},
        projections=("x", "y", "z"), species=("dmo", "gas", "stars", "velocity"),
        halo_position=np.empty((0, 3)), halo_m200c=np.empty(0), halo_r200c=np.empty(0),
        params={"A": float(np.exp(feedback)), "same": 1.0},
        param_ranges={"A": {"min": 0.1, "max": 10.0, "fiducial": 1.0, "log": True}},
        attrs={**ATTRS, "simulation": f"toy_{seed}"},
    )  # fmt: skip


def fitted(shape=lambda noise: noise, count=12):
    names = tuple(str(i) for i in range(count))
    table = QuantileTable(Training(FIELDS, SHARES, names, Path("maps"), N))
    for i in range(count):
        table.add(maps_of(i, 2.0 * ((0.618 * i) % 1.0) - 1.0, shape=shape))
    table.fit()
    return table


def held_out(maps):
    """All three maps as windows of an ensemble."""
    return xr.Dataset(
        {
            "truth": (("sample", "channel", "y", "x"), maps.maps[:, 1:]),
            "condition": (("sample", "y", "x"), maps.maps[:, 0]),
            "centre": (("sample", "axis"), np.full((3, 2), N // 2)),
            "projection": ("sample", np.arange(3)),
        },
        coords={"channel": [f.name for f in FIELDS], "member": np.arange(MEMBERS)},
    ).drop_vars("member").assign(fields=(("sample", "member"), np.zeros((3, MEMBERS))))  # fmt: skip


def of_the_law(maps, feedback, shape=lambda noise: noise):
    """Members of the true law."""
    rng, dmo = np.random.default_rng(9), maps.maps[:, 0].astype(float)
    draws = [law(dmo, feedback, shape(rng.normal(size=(4, *dmo.shape)))) for _ in range(MEMBERS)]
    return xr.DataArray(
        np.stack(draws, axis=1),
        dims=("sample", "member", "channel", "y", "x"),
        coords={"channel": [f.name for f in FIELDS]},
    )


def scores(table, feedback=0.8, shape=lambda noise: noise, side=1):
    """CRPS of the table over that of the true law, by field, on means over squares."""
    ratios = []
    for seed in (100, 101, 102):
        maps = maps_of(seed, feedback, shape=shape)
        ensemble = held_out(maps)
        found = table.forecast(maps, ensemble, np.random.default_rng(seed))["quantile_table"]
        truth = ensemble["truth"].coarsen(y=side, x=side).mean()
        both = [
            crps(m.coarsen(y=side, x=side).mean(), truth).mean(("sample", "y", "x"))
            for m in (found, of_the_law(maps, feedback, shape))
        ]
        ratios.append((both[0].values, both[1].values))
    table_scores, law_scores = np.mean(ratios, axis=0)
    return table_scores / law_scores


@pytest.fixture(scope="module")
def table():
    return fitted()


def test_about_pixels_the_table_is_as_good_as_the_law_that_it_learned(table):
    """Within 3 %, at the ends of the parameter too: scatter, occupancy, a signed field."""
    for feedback in (-0.9, 0.8):
        assert scores(table, feedback) == pytest.approx(1.0, abs=0.03)


def test_where_pixels_are_independent_it_is_as_good_about_squares(table):
    assert scores(table, side=4) == pytest.approx(1.0, abs=0.06)


def test_where_the_law_is_joint_it_loses_on_squares_and_not_on_pixels():
    correlated = fitted(smooth)
    assert scores(correlated, shape=smooth) == pytest.approx(1.0, abs=0.04)
    joint = scores(correlated, shape=smooth, side=4)
    assert (joint > [1.08, 1.0, 1.08]).all()
    assert joint.max() < 2.0


def test_members_are_drawn_for_every_pixel_alone(table):
    """Neighbours of a member share what the map says and nothing else."""
    maps = maps_of(100, 0.0)
    found = table.forecast(maps, held_out(maps), np.random.default_rng(0))["quantile_table"]
    assert found.dims == ("sample", "member", "channel", "y", "x")
    assert found.sizes["member"] == MEMBERS
    velocity = found.sel(channel="velocity")
    noise = (velocity - velocity.mean("member")).values
    error = 4 / np.sqrt(noise.size)
    assert np.corrcoef(noise[..., 1:].ravel(), noise[..., :-1].ravel())[0, 1] < error
    gas = np.log(found.sel(channel="gas")).values
    gas = gas - gas.mean(1, keepdims=True)
    assert abs(np.corrcoef(noise.ravel(), gas.ravel())[0, 1]) < error


def test_the_response_to_a_parameter_is_that_of_the_law(table):
    """Two steps of the logarithm of gas, -0.3 a step; stars and velocity with it."""
    maps = maps_of(100, 0.0)
    means = []
    for feedback in (-1.0, 1.0):
        asked = dataclasses.replace(maps, params={"A": np.exp(feedback), "same": 1.0})
        drawn = table.forecast(asked, held_out(maps), np.random.default_rng(0))["quantile_table"]
        means.append([
            float(np.log(drawn.sel(channel="gas")).mean()),
            float((drawn.sel(channel="stars") > 0).mean()),
            float(drawn.sel(channel="velocity").mean()),
        ])  # fmt: skip
    low, high = np.array(means)
    # the ridge takes a part in 13 off
    assert high[0] - low[0] == pytest.approx(-0.6 * 12 / 13, abs=0.015)
    assert high[2] - low[2] == pytest.approx(40.0 * 12 / 13, abs=1.5)
    relative = maps.maps[:, 0] / maps.maps[:, 0].mean()
    expected = [np.clip(relative / 6 * f, 0, 1).mean() for f in (0.7, 1.3)]
    assert [low[1], high[1]] == pytest.approx(expected, abs=0.012)


def test_a_parameter_that_does_nothing_has_no_slope_beyond_its_noise():
    rng = np.random.default_rng(0)
    simulations = np.repeat(np.arange(20), 1000)
    y, theta = rng.normal(size=20_000), rng.normal(size=(20, 3))
    found = fit_law(y, np.zeros(20_000, int), 1, simulations, theta, 1)
    assert np.abs(found.slopes).max() < 5 / np.sqrt(20_000)
    moved = fit_law(
        y + 0.5 * theta[simulations, 1], np.zeros(20_000, int), 1, simulations, theta, 1
    )
    # the ridge counts four simulations of twenty that say nothing
    assert moved.slopes[0] == pytest.approx([0, 0.5 * 20 / 24, 0], abs=0.08)


def test_cells_have_enough_pixels_and_follow_the_density():
    rng = np.random.default_rng(0)
    pixel = rng.lognormal(size=30_000).astype(np.float32)
    square = (pixel**0.5 * rng.lognormal(size=30_000)).astype(np.float32)
    bins = fit_bins(pixel, square, fewest=200)
    cells = bins.cell_of(pixel, square)
    counts = np.bincount(cells, minlength=bins.n_cells)
    assert counts[counts > 0].min() >= 200
    assert (counts > 0).sum() > 60
    assert (np.diff(bins.pixel_edges) > 0).all()
    assert (cells // (bins.n_cells // bins.n_bins) == bins.bin_of(pixel)).all()
    # beyond the ends of the training are the outermost cells
    ends = bins.cell_of(np.array([0, 1e9], np.float32), np.array([0, 1e9], np.float32))
    assert ends[0] == 0
    assert counts[ends[1]] > 0


def test_equal_pixels_share_a_cell_and_few_make_one():
    pixel = np.repeat(np.array([0.0, 1.0, 2.0], np.float32), [5000, 3000, 100])
    bins = fit_bins(pixel, np.ones_like(pixel), fewest=200)
    # the last hundred are too few and stay with their neighbour
    assert bins.pixel_edges.tolist() == [0.0, 1.0]
    assert fit_bins(pixel[:10], pixel[:10], fewest=200).n_bins == 1


def test_surroundings_are_the_mean_of_five_by_five_pixels():
    dmo = np.zeros((1, 16, 16), np.float32)
    dmo[0, 0, 3] = 256.0
    pixel, square = overdensities(dmo, periodic=True)
    assert pixel[0, 0, 3] == 256.0
    assert square[0, -2:, 1:6] == pytest.approx(256 / 25, rel=1e-5)
    assert square[0, 3:-2] == pytest.approx(0.0, abs=1e-4)
    _, alone = overdensities(dmo, periodic=False)
    assert alone[0, -2:] == pytest.approx(0.0, abs=1e-4)


def test_quantiles_never_cross_and_are_those_of_the_pixels():
    rng = np.random.default_rng(1)
    cells = rng.integers(0, 6, 60_000)
    y = rng.gamma(1.0 + cells, size=60_000)
    theta = rng.normal(size=(10, 2))
    found = fit_law(y, cells, 6, rng.integers(0, 10, 60_000), theta, 3)
    assert (np.diff(found.quantiles, axis=1) >= 0).all()
    for cell in range(6):
        middle = special.ndtr(LEVELS[1:-1])
        expected = np.quantile(y[cells == cell], middle)
        assert found.quantiles[cell, 1:-1] == pytest.approx(expected, abs=0.05, rel=0.02)


def test_cells_with_few_filled_pixels_take_the_quantiles_of_their_neighbours():
    """Two bins of two cells: one cell has none filled, a whole bin has none."""
    cells = np.repeat([0, 1, 2, 3], 400)
    y = np.full(1600, -np.inf)
    y[:100] = 5.0
    found = fit_law(y, cells, 4, np.zeros(1600, int), np.zeros((1, 0)), 2)
    assert found.filled == pytest.approx([0.25, 0, 0, 0])
    assert (found.quantiles == 5.0).all()
    empty = fit_law(np.full(8, -np.inf), cells[::200], 4, np.zeros(8, int), np.zeros((1, 0)), 2)
    drawn = empty.draw(cells, cells // 2, np.zeros(0), (1600,), np.random.default_rng(0))
    assert (drawn == -np.inf).all()


def test_draws_follow_the_quantiles_and_the_share_of_filled_pixels():
    law_of_one = FieldLaw(
        np.array([0.3]), LEVELS[None] * 2.0 + 1.0, np.zeros((1, 1)), np.ones((1, 1))
    )
    where = np.zeros(200_000, int)
    rng = np.random.default_rng(0)
    drawn = law_of_one.draw(where, where, np.array([0.2]), where.shape, rng)
    filled = drawn[np.isfinite(drawn)]
    assert len(filled) / len(where) == pytest.approx(0.5, abs=0.006)
    assert (filled.mean(), filled.std()) == pytest.approx((1.0, 2.0), abs=0.03)


def test_parameters_are_centred_scaled_and_logarithmic_where_they_are():
    rows = [{"A": a, "B": b, "C": 3.0} for a, b in ((1.0, 0.0), (np.e**2, 1.0), (np.e, 2.0))]
    scale = ParameterScale.of(rows, {"A"})
    assert scale.names == ("A", "B")
    table = np.array([scale(row) for row in rows])
    assert table.mean(0) == pytest.approx(0.0)
    assert table.std(0) == pytest.approx(1.0)
    assert scale({"A": np.e, "B": 1.0}) == pytest.approx(0.0)
    nothing = ParameterScale.of([{}], set())
    assert nothing({"A": 1.0}).shape == (0,)


def test_an_empty_map_of_dark_matter_can_be_asked(table):
    maps = maps_of(100, 0.0)
    void = dataclasses.replace(maps, maps=np.where(maps.maps > 0, maps.maps, 0) * 1.0)
    void.maps[:, 0, :8] = 0.0
    found = table.forecast(void, held_out(void), np.random.default_rng(0))["quantile_table"]
    assert np.isfinite(found).all()
    assert float(found.sel(channel="gas").min()) >= 0.0


def test_no_more_pixels_are_kept_than_asked(monkeypatch):
    from emulator.validation.baselines import quantile_table

    monkeypatch.setattr(quantile_table, "MOST_PIXELS", 1000)
    table = QuantileTable(Training(FIELDS, SHARES, ("0", "1"), Path("maps"), N))
    for i in range(2):
        table.add(maps_of(i, 0.0))
    assert [part.shape for part in table._densities] == [(2, 500), (2, 500)]
    assert [part.shape for part in table._values] == [(3, 500), (3, 500)]
