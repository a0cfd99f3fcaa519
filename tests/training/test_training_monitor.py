"""What training watches: errors by noise, small ensembles, early stopping, TensorBoard."""

import csv

import pytest
import torch
from gaussians import TAU2, gaussian_denoiser, gaussian_draws
from tiny import TINY, run
from typer.testing import CliRunner

from emulator.cli import app
from emulator.data.condition import Condition
from emulator.data.dataset import Batch
from emulator.diffusion.bound import variational_bound
from emulator.diffusion.schedule import FixedLinear
from emulator.io import EmulatorError
from emulator.training.monitor import BIN_EDGES, MEMBERS, ErrorByNoise, bin_names, score_ensemble
from emulator.training.tensorboard import picture

SINGLE = {**TINY["training"], "precision": "32"}


def rows(root):
    with (root / "model/history.csv").open() as handle:
        return list(csv.DictReader(handle))


def test_errors_by_noise_are_the_posterior_variance_of_a_gaussian():
    """tau^2 sigma^2/(alpha^2 tau^2 + sigma^2), averaged over each bin of gamma."""
    schedule, errors = FixedLinear(), ErrorByNoise()
    for seed in range(4):
        x, eps, t = gaussian_draws(4096, seed=seed)
        bound = variational_bound(gaussian_denoiser, x, eps, t, schedule=schedule, data_noise=1e-3)
        levels = schedule.levels(t)
        errors.add(bound, levels.gamma, levels.slope)
    found = errors.result()
    gamma = schedule.gamma((torch.arange(100_000).double() + 0.5) / 100_000)
    noise = torch.exp(gamma)[:, None]
    tau2 = TAU2.flatten()
    exact = (tau2 * noise / (tau2 + noise)).mean(1)
    for name, low, high in zip(bin_names(), BIN_EDGES[:-1], BIN_EDGES[1:], strict=True):
        inside = (gamma >= low) & (gamma < high)
        assert found[name] == pytest.approx(float(exact[inside].mean()), rel=0.03)
    assert errors.result() == {}  # starts anew


def batch_of(target):
    empty = torch.zeros(len(target), 1, dtype=torch.float64)
    return Batch(Condition(target[:, 0], target[:, :1], empty), target)


def test_scores_of_a_calibrated_ensemble():
    """Members and truth from one distribution: ratio one, power right; twice the mean: it shows."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        signal = torch.randn(400, 1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
        return 10 + signal + torch.randn(*shape, generator=generator)

    truth = draw(400, 1, 1, 16, 16)[:, 0].expand(-1, 2, -1, -1).clone()
    masses = draw(400, MEMBERS, 1, 16, 16).expand(-1, -1, 2, -1, -1).clone()
    masses[:, :, 1] *= 2.0
    scores = score_ensemble(masses, batch_of(truth), ["dm_hydro", "gas"], 0.2)
    assert scores["val_spread_skill_dm_hydro"] == pytest.approx(1.0, abs=0.03)
    assert scores["val_power_error_dm_hydro"] < 0.08
    assert scores["val_power_error_gas"] == pytest.approx(3.0, abs=0.3)
    assert scores["val_spread_skill_gas"] < 0.3


def test_history_holds_errors_and_ensembles(maps_dir, tmp_path):
    run(maps_dir, tmp_path, training={**SINGLE, "ensemble_every": 2})
    found = rows(tmp_path)
    assert [bool(row["val_power_error_gas"]) for row in found] == [False, True, False, True]
    for row in found[1::2]:
        assert float(row["val_power_error_stars"]) >= 0
        assert float(row["val_spread_skill_dm_hydro"]) > 0
    assert all(float(found[-1][name]) > 0 for name in bin_names() if found[-1][name])


def test_watching_does_not_change_the_training(maps_dir, tmp_path):
    never = run(maps_dir, tmp_path / "a", training={**SINGLE, "ensemble_every": 0})
    often = run(maps_dir, tmp_path / "b", training={**SINGLE, "ensemble_every": 1})
    assert all(torch.equal(never[name], often[name]) for name in never)


def test_early_stopping_stops_exports_and_stays_stopped(maps_dir, tmp_path):
    """Almost no learning: the first epoch is the best, so patience 2 ends after the third."""
    stopping = {"metric": "val_prior_nats", "patience": 2}  # a constant: never improves
    training = {**SINGLE, "max_steps": 20, "early_stopping": stopping}
    weights = run(maps_dir, tmp_path, training=training)
    assert [row["step"] for row in rows(tmp_path)] == ["2", "4", "6"]
    (tmp_path / "model/model.json").unlink()
    again = run(maps_dir, tmp_path, training=training)
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert len(rows(tmp_path)) == 3


def test_a_metric_that_is_not_logged_is_refused(maps_dir, tmp_path):
    stopping = {"metric": "val_los"}
    with pytest.raises(EmulatorError, match=r"no column 'val_los' .* val_loss"):
        run(maps_dir, tmp_path, training={**SINGLE, "early_stopping": stopping})


def test_tensorboard_gets_scalars_and_images(maps_dir, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run(maps_dir, tmp_path, training={**SINGLE, "tensorboard": True, "ensemble_every": 2})
    (folder,) = tmp_path.glob("state/*/tensorboard")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    tags = events.Tags()
    assert {"train_loss", "val_loss", "val_power_error_gas"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("train_loss")] == [2, 4, 6, 8]
    assert len(tags["images"]) == 3
    image = events.Images(tags["images"][0])[0]
    assert (image.height, image.width) == (4 * 16, 3 * 16)  # four windows: truth, two members


def test_pictures_show_truth_and_members_on_one_scale():
    truth = torch.logspace(8, 12, 64).reshape(4, 4, 4)
    members = truth[:, None].expand(-1, 2, -1, -1)
    image = picture(truth, members)
    assert image.shape == (1, 16, 12)
    panels = image[0].reshape(4, 4, 3, 4)
    torch.testing.assert_close(panels[:, :, 0], panels[:, :, 1])
    assert (float(image.min()), float(image.max())) == (0.0, 1.0)


def test_data_noise_of_a_channel_is_its_own():
    x, eps, t = gaussian_draws(8)
    noises = torch.tensor([1e-3, 1e-2])
    both = variational_bound(
        gaussian_denoiser, x, eps, t, schedule=FixedLinear(), data_noise=noises
    ).reconstruction
    each = [
        variational_bound(
            gaussian_denoiser, x, eps, t, schedule=FixedLinear(), data_noise=float(noise)
        ).reconstruction
        for noise in noises
    ]
    torch.testing.assert_close(both, (each[0] + each[1]) / 2)


def test_bundle_info_says_what_the_bundle_holds(maps_dir, tmp_path):
    run(maps_dir, tmp_path, training=SINGLE)
    said = CliRunner().invoke(app, ["bundle", "info", str(tmp_path / "model")]).output
    for word in (
        "tiny",
        "M weights",
        "dm_hydro (log_ratio)",
        "Omega_m",
        "0 to 1 (linear)",
        "v-pred",
    ):
        assert word in said
    whole = CliRunner().invoke(app, ["bundle", "info", str(tmp_path / "model"), "--json"]).output
    assert '"format_version": 8' in whole
    missing = CliRunner().invoke(app, ["bundle", "info", str(tmp_path / "nothing")])
    assert "expected a bundle" in str(missing.exception)
