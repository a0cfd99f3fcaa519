"""The law of total variance by density class, against loops, and what its bar sees."""

import numpy as np
import pytest
import xarray as xr

from emulator.config import ValidationConfig
from emulator.fields import find_fields
from emulator.metrics.base import Case
from emulator.metrics.jackknife import Jackknife
from emulator.metrics.variance import CLASSES, Variance, density_classes

FIELDS = find_fields(["dm_hydro", "gas"])
CONFIG = ValidationConfig()


def case(seed, *, n_samples=6, n_members=5, side=10, change=lambda members, mean: members):
    """Truth and members are draws of one law, whose scatter grows with the DMO mass."""
    rng = np.random.default_rng(seed)
    dmo = np.exp(rng.normal(size=(n_samples, side, side)))
    mean = np.stack([0.8 * dmo, 0.2 * dmo], axis=1)
    noise = rng.normal(size=(n_samples, 1 + n_members, 2, side, side))
    draws = mean[:, None] * np.exp(0.3 * noise)
    members = change(draws[:, 1:], mean[:, None])
    ensemble = xr.Dataset(
        {
            "condition": (("sample", "y", "x"), dmo),
            "truth": (("sample", "channel", "y", "x"), draws[:, 0]),
            "fields": (("sample", "member", "channel", "y", "x"), members),
        },
        coords={"channel": ["dm_hydro", "gas"]},
    )
    scales = xr.DataArray([2.0, 3.0], dims="channel", coords={"channel": ["dm_hydro", "gas"]})
    return Case(
        ensemble=ensemble,
        fields=FIELDS,
        pixel_mpch=0.2,
        mean_dmo=1.0,
        scales=scales,
        model_seed=np.zeros(n_members, int),
        forecasts={},
        config=CONFIG,
        generator=rng,
    )


def summary(cases):
    stats = xr.concat([Variance().compute(one) for one in cases], "simulation")
    runs = xr.DataArray(np.arange(len(cases)), dims="simulation")
    return xr.Dataset(Variance().summarise(Jackknife(runs), stats, FIELDS))


def test_classes_are_shares_of_the_pixels_in_order_of_density():
    rng = np.random.default_rng(0)
    condition = rng.permutation(1000.0 + np.arange(2000)).reshape(5, 20, 20)
    classes = density_classes(condition)
    assert np.bincount(classes.ravel()).tolist() == [1000, 800, 180, 20]
    assert condition[classes == 3].min() == 1000.0 + 1980
    assert (np.sort(classes[condition == condition.max()]) == 3).all()
    ties = density_classes(np.zeros((2, 10, 10)))
    assert np.bincount(ties.ravel()).tolist() == [100, 80, 18, 2]


def test_the_ratio_is_that_of_variances_of_all_pixels_of_a_class():
    cases = [case(seed) for seed in (1, 2, 3)]
    found = summary(cases)
    assert found["variance_ratio"].dims == ("estimate", "channel", "dmo_density")
    assert found["dmo_density"].values.tolist() == list(CLASSES)
    for c in range(2):
        for b in range(len(CLASSES)):
            truth, members = [], []
            for one in cases:
                inside = density_classes(one.ensemble["condition"].values) == b
                truth.append(np.sqrt(one.ensemble["truth"].values[:, c][inside]))
                fields = one.ensemble["fields"].values[:, :, c]
                members += [np.sqrt(fields[:, m][inside]) for m in range(5)]
            expected = np.var(np.concatenate(members)) / np.var(np.concatenate(truth))
            at = {"estimate": "value", "channel": FIELDS[c].name, "dmo_density": CLASSES[b]}
            assert float(found["variance_ratio"].sel(at)) == pytest.approx(expected, rel=1e-9)
    shares = found["variance_share"].sel(estimate="value")
    np.testing.assert_allclose(shares.sum("dmo_density"), 1.0)


MEAN = np.exp(0.3**2 / 2)
ENSEMBLES = {
    "calibrated": (lambda members, mean: members, True),
    "smooth": (lambda members, mean: np.broadcast_to(mean * MEAN, members.shape), False),
    "under-dispersed": (lambda members, mean: MEAN * mean + 0.5 * (members - MEAN * mean), False),
    "over-dispersed": (lambda members, mean: MEAN * mean + 1.8 * (members - MEAN * mean), False),
}


@pytest.mark.parametrize("name", ENSEMBLES)
def test_the_bar_sees_too_little_and_too_much_variance(name):
    change, met = ENSEMBLES[name]
    cases = [case(10 + i, n_samples=10, side=32, change=change) for i in range(6)]
    bars = Variance().bars(summary(cases), CONFIG, FIELDS)
    assert [bar.field for bar in bars] == ["dm_hydro", "gas"]
    assert {bar.met for bar in bars} == {met}
    (low, high) = bars[0].interval
    assert low < bars[0].value < high


def test_classes_without_weight_are_not_judged_and_no_variance_is_a_miss():
    found = summary([case(seed, n_samples=10, side=32) for seed in range(4)])
    found["variance_ratio"].loc[{"dmo_density": CLASSES[0]}] = 9.0
    found["variance_share"].loc[{"dmo_density": CLASSES[0]}] = 0.001
    assert all(bar.met for bar in Variance().bars(found, CONFIG, FIELDS))
    found["variance_share"].loc[{"dmo_density": CLASSES[0]}] = 0.02
    bars = Variance().bars(found, CONFIG, FIELDS)
    assert [(bar.met, bar.facts["dmo_density"]) for bar in bars] == [(False, CLASSES[0])] * 2
    nothing = xr.full_like(found, np.nan)
    assert [bar.row()["value"] for bar in Variance().bars(nothing, CONFIG, FIELDS)] == [None, None]
    assert not any(bar.met for bar in Variance().bars(nothing, CONFIG, FIELDS))
