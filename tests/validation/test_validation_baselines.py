"""Baselines are exact where their assumption is: shares, and a linear filter of the DMO map."""

import fabricated
import numpy as np
import pytest

from emulator.data.maps import read_maps
from emulator.fields import find_fields
from emulator.io import DataError
from emulator.metrics.power_spectrum import shell_index
from emulator.validation.baselines import Forecast, fit_baselines, forecast_windows
from emulator.validation.baselines.climatology import Climatology
from emulator.validation.baselines.linear_transfer import LinearTransfer
from emulator.validation.baselines.quantile_table import QuantileTable
from emulator.validation.baselines.shares import Shares

CHANNELS = fabricated.CHANNELS
FIELDS = find_fields(CHANNELS)
STAR_SHARE = 0.01


def shares(omega_m, omega_b, star_share):
    measured = {"gas": 0.1, "stars": star_share}
    return Shares(FIELDS, measured).of({"omega_m": omega_m, "omega_b": omega_b})


@pytest.fixture(scope="module")
def filtered(tmp_path_factory):
    """A suite whose hydro fields *are* a linear filter of the DMO field, step by step in |k|."""
    folder = tmp_path_factory.mktemp("filtered")
    n = fabricated.N_PIXELS
    index = shell_index(n)
    transfer = np.stack([1 / (1 + s * index) for s in (0.01, 0.05, 0.1)])
    suite = fabricated.simulations(n_train=2, n_cv=1)
    for simulation in suite:
        dmo = fabricated.dmo_maps(simulation)
        delta = np.fft.rfft2(dmo / dmo.mean() - 1)
        share = shares(simulation.omega_m, fabricated.OMEGA_B, STAR_SHARE)
        fields = [
            share[name] * dmo.mean() * (1 + np.fft.irfft2(t * delta, s=(n, n)))
            for name, t in zip(CHANNELS, transfer, strict=True)
        ]
        assert min(field.min() for field in fields) > 0
        fabricated.write_maps(folder, simulation, np.stack([dmo, *fields], axis=1))
    train = [s.name for s in suite if s.name.startswith("SB")]
    return folder, train, transfer, index


def test_filter_and_share_are_recovered_exactly(filtered):
    folder, train, transfer, index = filtered
    (fitted,) = fit_baselines(train, folder, fields=FIELDS, window=16, kinds=[LinearTransfer])
    assert fitted.training.shares.measured["stars"] == pytest.approx(STAR_SHARE, rel=1e-5)
    for row in range(3):
        expected = np.zeros(index.max() + 1)
        expected[index] = transfer[row]
        assert fitted.transfer[row, 1:] == pytest.approx(expected[1:], rel=1e-4)
    held_out = read_maps(folder / "CV_0.h5")
    forecast = fitted.filter(held_out)
    assert forecast.maps == pytest.approx(held_out.maps, rel=1e-3)


def test_windows_are_cut_where_the_ensemble_says(filtered):
    folder, train, *_ = filtered
    fitted = fit_baselines(train, folder, fields=FIELDS, window=16)
    maps = read_maps(folder / "CV_0.h5")
    ensemble = fabricated.make_ensemble(fabricated.simulations(n_train=2, n_cv=1)[-1])
    forecasts = forecast_windows(fitted, maps, ensemble)
    row, column = ensemble["centre"].values[1]
    rows, columns = ((np.arange(16) + c - 8) % fabricated.N_PIXELS for c in (row, column))
    cut = maps.maps[int(ensemble["projection"][1])][:, rows[:, None], columns[None, :]]
    assert forecasts["linear_transfer"][1].values == pytest.approx(cut[1:], rel=1e-3)
    total = forecasts["dmo_share"].sum("channel")
    assert total.values == pytest.approx(ensemble["condition"].values, rel=1e-5)
    assert list(forecasts["empty"]["channel"].values) == ["stars"]
    assert float(forecasts["empty"].max()) == 0.0


def test_climatology_draws_training_windows_alone(filtered):
    folder, train, *_ = filtered
    fitted = fit_baselines(train, folder, fields=FIELDS, window=16, seed=1, kinds=[Climatology])
    ensemble = fabricated.make_ensemble(fabricated.simulations(n_train=2, n_cv=1)[-1])
    drawn = forecast_windows(fitted, read_maps(folder / "CV_0.h5"), ensemble)["climatology"]
    assert drawn.sizes["member"] == ensemble.sizes["member"]
    stars = [read_maps(folder / f"{name}.h5").maps[:, 3] for name in train]
    values = set(np.concatenate([maps.ravel() for maps in stars]).tolist())
    assert set(drawn.values.ravel().tolist()) <= values


def test_draws_depend_on_the_forecast_the_simulation_and_the_seed_alone(filtered):
    folder, train, *_ = filtered
    ensemble = fabricated.make_ensemble(fabricated.simulations(n_train=2, n_cv=1)[-1])
    maps = read_maps(folder / "CV_0.h5")
    both = fit_baselines(
        train, folder, fields=FIELDS, window=16, kinds=[Climatology, QuantileTable]
    )
    alone = forecast_windows(both[1:], maps, ensemble)["quantile_table"]
    beside = forecast_windows(both, maps, ensemble)["quantile_table"]
    assert alone.equals(beside)
    assert alone.attrs["long_name"] == "quantile table"
    assert not alone.equals(forecast_windows(both, maps, ensemble, seed=1)["quantile_table"])


def test_a_forecast_must_be_what_it_says(filtered, monkeypatch):
    folder, train, *_ = filtered
    ensemble = fabricated.make_ensemble(fabricated.simulations(n_train=2, n_cv=1)[-1])
    fitted = fit_baselines(train, folder, fields=FIELDS, window=16, kinds=[Climatology])
    wrong = (Forecast("climatology", "climatology", probabilistic=False),)
    monkeypatch.setattr(Climatology, "forecasts", wrong)
    with pytest.raises(TypeError, match="climatology: expected no ensemble, got dimensions"):
        forecast_windows(fitted, read_maps(folder / "CV_0.h5"), ensemble)


def test_shares_sum_to_one():
    share = shares(0.3, 0.049, 0.02)
    assert sum(share.values()) == pytest.approx(1.0)
    assert share["dm_hydro"] == pytest.approx(1 - 0.049 / 0.3)


def test_an_empty_training_split_is_an_error(tmp_path):
    with pytest.raises(DataError, match="training simulations"):
        fit_baselines([], tmp_path, fields=FIELDS, window=16)
