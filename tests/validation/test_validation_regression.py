"""The regression as a baseline: one mean at the windows of an ensemble, and an ensemble of it."""

import json
import subprocess
import sys

import fabricated
import numpy as np
import pytest
import torch
import xarray as xr
from untrained import NETWORK

from emulator.config import DiffusionConfig
from emulator.config.channels import resolve_channels
from emulator.data.condition import Condition
from emulator.data.cutouts import extract
from emulator.data.maps import read_maps
from emulator.diffusion.random_field import cross_spectrum
from emulator.fields import FIELDS, find_fields
from emulator.io import DataError, read_dataset, write_dataset
from emulator.metrics.calibration import crps
from emulator.model.build import build_network
from emulator.model.bundle import read_bundle, write_bundle
from emulator.model.card import Grid, ModelCard
from emulator.model.field_transform import FieldTransform
from emulator.model.fit import fit_normalisation
from emulator.validation.baselines import fit_baselines, forecast_windows
from emulator.validation.baselines.regression import Regression
from emulator.validation.evaluate import evaluate

NAMES, FACTORS, WINDOW = ("dm_hydro", "gas"), (2, 4), fabricated.WINDOW
TRAIN, TEST = ["SB_0", "SB_1"], "CV_0"
SCATTER = torch.tensor([[0.04, 0.015], [0.015, 0.09]]).double()
SPECTRUM = SCATTER / (1 + torch.arange(12).double())[:, None, None]
"""Power of two network channels and how they vary together, falling with the shell."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Maps of a training and a held-out run."""
    path = tmp_path_factory.mktemp("maps")
    for simulation in fabricated.simulations(n_train=1, n_cv=1):
        fabricated.write_maps(path, simulation)
    return path


def write_regression(
    maps, path, *, names=NAMES, residual=SPECTRUM, train=TRAIN, objective="regression", std=0.1
):
    """Bundle of a network with random weights (with ``std=0`` it returns 0) and this residual."""
    channels = resolve_channels(None, find_fields(names, FIELDS))
    paths = [maps / f"{name}.h5" for name in TRAIN]
    normalisation = fit_normalisation(paths, channels, ("Omega_m", "A_SN1"), FACTORS)
    diffusion = DiffusionConfig(prediction="x")
    torch.manual_seed(0)
    network = build_network(NETWORK, diffusion, normalisation)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=std)
    card = ModelCard(
        name="r", network=NETWORK, diffusion=diffusion, normalisation=normalisation,
        grid=Grid(pixel_mpch=fabricated.PIXEL, window=WINDOW, depth_mpch=12.8, redshift=0.0),
        training={"precision": "32", "seed": 0, "objective": objective}, metrics={},
        attributes={"provenance": json.dumps({"splits": {"train": train}})}, weights_sha256="",
    )  # fmt: skip
    raw = {name: 3.0 * value for name, value in network.state_dict().items()}
    write_bundle(path, card, raw=raw, ema=network.state_dict(), history="", residual=residual)
    return path


def ensemble_of(maps_dir, n_members, n_windows=4):
    """Windows of the held-out run with their context, and room for so many members."""
    maps = read_maps(maps_dir / f"{TEST}.h5")
    rng = np.random.default_rng(0)
    projections = rng.integers(0, 3, n_windows)
    centres = rng.integers(0, fabricated.N_PIXELS, (n_windows, 2))
    cuts = [
        extract(maps, int(p), tuple(c.tolist()), window=WINDOW, context_factors=FACTORS,
                species=NAMES)
        for p, c in zip(projections, centres, strict=True)
    ]  # fmt: skip
    truth = np.stack([cut.target for cut in cuts])
    fields = np.zeros((n_windows, n_members, 2, WINDOW, WINDOW), np.float32)
    return maps, xr.Dataset(
        {
            "fields": (("sample", "member", "channel", "y", "x"), fields),
            "truth": (("sample", "channel", "y", "x"), truth),
            "condition": (("sample", "y", "x"), np.stack([cut.condition for cut in cuts])),
            "large_scale": (
                ("sample", "level", "y", "x"),
                np.stack([cut.large_scale for cut in cuts]),
            ),
            # not in the order of the network
            "params": (
                ("sample", "parameter"),
                [[maps.params[name] for name in ("A_SN1", "Omega_m")]] * n_windows,
            ),
            "centre": (("sample", "axis"), centres),
            "projection": (("sample",), projections),
        },
        coords={"channel": list(NAMES), "parameter": ["A_SN1", "Omega_m"]},
        attrs={"simulation": TEST},
    )


def fitted(folder, bundle):
    """The baselines of the module, on the training run."""
    return fit_baselines(
        TRAIN, folder, fields=find_fields(NAMES, FIELDS), window=WINDOW, regression=bundle,
        kinds=[Regression],
    )  # fmt: skip


@pytest.fixture(scope="module")
def forecasts(folder, tmp_path_factory):
    """Bundle, ensemble, and what is forecast at its windows."""
    bundle = write_regression(folder, tmp_path_factory.mktemp("bundle"))
    maps, ensemble = ensemble_of(folder, n_members=300)
    return bundle, ensemble, forecast_windows(fitted(folder, bundle), maps, ensemble)


def output_of(bundle, ensemble):
    """Network channels by hand: z = 0 at the noise end; and the condition."""
    card, network = read_bundle(bundle)
    condition = Condition(
        torch.as_tensor(ensemble["condition"].values),
        torch.as_tensor(ensemble["large_scale"].values),
        torch.as_tensor(ensemble["params"].values[:, ::-1].copy()),
    )
    given = FieldTransform(card.normalisation).encode(condition)
    z = torch.zeros(len(given.fields), 2, WINDOW, WINDOW)
    gamma = torch.full((len(z),), 13.0)
    return card, condition, network(z, gamma, given.fields, given.params, given.known)


def test_the_mean_is_the_output_mapped_back(forecasts):
    """(s d + f) exp(x) - f with the cosmic share s of each field, by the formula of the docs."""
    bundle, ensemble, found = forecasts
    card, _, output = output_of(bundle, ensemble)
    share = fabricated.OMEGA_B / 0.3
    for index, (name, part) in enumerate(zip(NAMES, (1 - share, share), strict=True)):
        norm = card.normalisation
        x = output[:, index].numpy() * norm.target_std[index] + norm.target_mean[index]
        floor = norm.channels[index].floor
        expected = (part * ensemble["condition"].values + floor) * np.exp(x) - floor
        np.testing.assert_allclose(
            found["regression"].sel(channel=name).values, expected, rtol=1e-4
        )
    assert output.std() > 0.05  # random weights say something


def test_members_scatter_about_the_mean_with_the_spectrum_of_the_residual(forecasts):
    """In network channels: the power of each, and their correlation, shell by shell."""
    bundle, ensemble, found = forecasts
    card, condition, output = output_of(bundle, ensemble)
    members = found["regression_gaussian"]
    assert members.dims == ("sample", "member", "channel", "y", "x")
    n_members = members.sizes["member"]
    flat = torch.as_tensor(members.values).flatten(0, 1)
    x = FieldTransform(card.normalisation).transform(flat, condition.repeat(n_members))
    scatter = x.double() - output.repeat_interleave(n_members, 0)
    measured = cross_spectrum(scatter)
    n_modes = torch.as_tensor(_modes())[:, None, None] * len(scatter)
    power = torch.diagonal(SPECTRUM, dim1=1, dim2=2)
    error = 4 * ((power[:, :, None] * power[:, None, :] + SPECTRUM**2) / n_modes).sqrt()
    assert ((measured - SPECTRUM).abs() < error).all()
    assert (SPECTRUM[:, 0, 1] > error[:, 0, 1]).all()  # a correlation that would be missed
    mean = scatter.unflatten(0, (-1, n_members)).mean(1)
    assert float(mean.square().mean().sqrt()) < 3 * float(scatter.std()) / n_members**0.5


def _modes():
    k = np.fft.fftfreq(WINDOW, 1 / WINDOW)
    return np.bincount(np.rint(np.hypot(k[:, None], k[None, :])).astype(int).ravel())


def test_its_score_is_that_of_a_gaussian(folder, tmp_path):
    """If the residual is the Gaussian field, CRPS / MAE is 1 / sqrt(2), whatever the field."""
    bundle = write_regression(folder, tmp_path, residual=SPECTRUM / 25, std=0.0)
    maps, ensemble = ensemble_of(folder, n_members=16, n_windows=60)
    forecast = forecast_windows(fitted(folder, bundle), maps, ensemble, seed=1)
    mean = forecast["regression"]
    drawn = forecast_windows(fitted(folder, bundle), maps, ensemble, seed=2)["regression_gaussian"]
    truth = drawn.isel(member=0, drop=True)  # what the baseline takes to be true
    error = abs(mean - truth).mean(("sample", "y", "x"))
    score = crps(forecast["regression_gaussian"], truth).mean(("sample", "y", "x"))
    assert (score / error).values == pytest.approx(2**-0.5, abs=0.02)


def add_context(path, maps_dir):
    """The context windows that a fabricated ensemble lacks."""
    ensemble = read_dataset(path)
    maps = read_maps(maps_dir / f"{ensemble.attrs['simulation']}.h5")
    places = zip(ensemble["projection"].values, ensemble["centre"].values, strict=True)
    context = [
        extract(maps, int(p), (int(y), int(x)), window=WINDOW, context_factors=FACTORS, species=())
        for p, (y, x) in places
    ]
    large_scale = np.stack([cut.large_scale for cut in context])
    write_dataset(ensemble.assign(large_scale=(("sample", "level", "y", "x"), large_scale)), path)


def test_both_reach_the_scores(tmp_path, config):
    """And the Gaussian residual, of the size of the scatter, scores better than the mean alone."""
    paths, maps, splits = fabricated.write_suite(tmp_path, n_cv=2)
    for path in paths:
        add_context(path, maps)
    residual = torch.diag(torch.tensor([0.5, 0.5, 0.5, 0.1])).double().expand(12, 4, 4)
    bundle = write_regression(
        maps, tmp_path / "bundle", names=fabricated.CHANNELS, residual=residual, std=0.0
    )
    found = evaluate(paths, maps, splits, config, regression=bundle)
    score = found["crps"].sel(estimate="value", scale=1)
    for name in fabricated.CHANNELS:
        mean, drawn = (
            float(score.sel(forecast=kind, channel=name))
            for kind in ("regression", "regression_gaussian")
        )
        assert 0.0 < drawn < mean
    without = evaluate(paths, maps, splits, config)
    assert not {"regression", "regression_gaussian"} & set(without["forecast"].values)


# ------------------------------------------------------------------------------------ refusals


def test_a_regression_that_has_seen_the_simulation_is_refused(folder, tmp_path):
    bundle = write_regression(folder, tmp_path, train=[*TRAIN, TEST])
    maps, ensemble = ensemble_of(folder, n_members=2)
    with pytest.raises(DataError, match="a regression that has not seen CV_0"):
        forecast_windows(fitted(folder, bundle), maps, ensemble)


def test_other_bundles_are_refused(folder, tmp_path):
    with pytest.raises(DataError, match=r"model\.json"):
        fitted(folder, tmp_path)
    of_model = write_regression(folder, tmp_path / "model", objective="diffusion", residual=None)
    with pytest.raises(DataError, match="expected a regression, got objective 'diffusion'"):
        fitted(folder, of_model)
    bundle = write_regression(folder, tmp_path / "regression")
    with pytest.raises(DataError, match="fields and window of the ensembles"):
        fit_baselines(
            TRAIN, folder, fields=find_fields(NAMES, FIELDS), window=8, regression=bundle,
            kinds=[Regression],
        )  # fmt: skip


def test_ensembles_without_their_context_are_refused(folder, forecasts):
    maps, ensemble = ensemble_of(folder, n_members=2)
    with pytest.raises(DataError, match="variable 'large_scale'"):
        forecast_windows(fitted(folder, forecasts[0]), maps, ensemble.drop_vars("large_scale"))


def test_without_a_regression_validation_needs_no_torch(folder):
    """Loading torch takes longer than all the statistics of a small suite."""
    code = (
        "import sys\n"
        "from emulator.fields import FIELDS, find_fields\n"
        "from emulator.validation.evaluate import evaluate, fit_baselines\n"
        f"fit_baselines({TRAIN}, {str(folder)!r}, fields=find_fields({NAMES}, FIELDS), window=16)\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
