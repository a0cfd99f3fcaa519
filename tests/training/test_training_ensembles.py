"""Small ensembles in training: drawn as a solver would, scored shell by shell, shown in grey."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny import TINY, normalise

from emulator.config import DiffusionConfig
from emulator.data.condition import Condition
from emulator.data.dataset import Batch
from emulator.data.maps import read_maps
from emulator.diffusion.parameterization import Prediction
from emulator.model.build import build_parameterization
from emulator.model.conditional import denoiser
from emulator.model.field_transform import FieldTransform
from emulator.model.windows import windows_for
from emulator.training.monitor import (
    BIN_EDGES,
    EVALUATIONS,
    GAMMA_END,
    MEMBERS,
    ErrorByNoise,
    bin_names,
    draw_ensemble,
    ensemble_names,
    score_ensemble,
)
from emulator.training.tensorboard import FLOOR_MSUNH, N_IMAGES, picture


def test_columns_are_named_by_their_bins():
    assert (-math.inf, -8.0, -5.0, -2.0, 1.0, 4.0, 7.0, math.inf) == BIN_EDGES
    assert bin_names()[0] == "val_x_mse_gamma_-inf_to_-8"
    assert bin_names()[-2:] == ["val_x_mse_gamma_4_to_7", "val_x_mse_gamma_7_to_inf"]
    assert ensemble_names(["gas"]) == ["val_power_error_gas", "val_spread_skill_gas"]


def test_errors_by_noise_are_means_of_each_bin():
    """Eps errors times exp(gamma); an edge belongs to the bin above."""
    gamma = torch.tensor([-9.0, -8.0, 0.0, 0.5, 7.0])
    x_error = torch.tensor([1.0, 2.0, 3.0, 5.0, 7.0])
    slope = torch.tensor([2.0, 4.0, 8.0, 16.0, 1.0])
    nats = 0.5 * slope * 12 * x_error * torch.exp(-gamma)
    errors = ErrorByNoise()
    for part in (slice(0, 3), slice(3, 5)):
        bound = SimpleNamespace(diffusion=nats[part], dimension=12)
        errors.add(bound, gamma[part], slope[part])
    names = bin_names()
    assert errors.result() == pytest.approx(
        {names[0]: 1.0, names[1]: 2.0, names[3]: 4.0, names[6]: 7.0}, rel=1e-5
    )
    assert errors.result() == {}


@pytest.fixture(scope="module")
def batch(maps_dir):
    normalisation = normalise(maps_dir, TINY)
    maps = [read_maps(maps_dir / "SB_2.h5")]
    windows = windows_for(normalisation, maps, window=16, batch_size=3, seed=0)
    return FieldTransform(normalisation), windows[0]


def test_members_of_a_window_lie_next_to_each_other(batch):
    """A network that returns zero leaves z where it is: x = alpha(-8) z, in every unit."""
    transform, windows = batch
    gammas = []
    parameterization = build_parameterization(DiffusionConfig())

    def still(z, gamma):
        gammas.append(float(gamma.flatten()[0]))
        return torch.zeros_like(z)

    masses = draw_ensemble(
        denoiser(still, parameterization), transform.inverse_transform, windows, (4, 16, 16),
        gamma_max=9.0, seed=5,
    )  # fmt: skip
    assert masses.shape == (3, MEMBERS, 3, 16, 16)
    assert (MEMBERS, EVALUATIONS, GAMMA_END) == (4, 10, -8.0)
    assert len(gammas) == EVALUATIONS
    assert gammas[0] == 9.0
    noise = torch.randn(12, 4, 16, 16, generator=torch.Generator().manual_seed(5))
    for row in range(12):
        window = row // MEMBERS
        one = windows.condition.rows([window])
        found = masses[window, row % MEMBERS][None]
        x = noise[row : row + 1] * (1 + math.exp(-8.0)) ** -0.5
        expected = transform.inverse_transform(x, one)
        usual = (expected[:, :2] > 1e9) & (expected[:, :2] < 1e12)
        assert float(usual.float().mean()) > 0.3
        ratio = found[:, :2][usual] / expected[:, :2][usual]
        torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0, atol=0.02)


def test_a_prediction_of_the_truth_is_drawn(batch):
    transform, windows = batch
    x = transform.transform(windows.target, windows.condition)
    rows = x.repeat_interleave(MEMBERS, 0)
    masses = draw_ensemble(
        lambda z, gamma: Prediction.of_data(rows, z, gamma),
        transform.inverse_transform, windows, (4, 16, 16), gamma_max=13.0, seed=0,
    )  # fmt: skip
    ratio = masses[:, :, 0] / windows.target[:, None, 0]
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0, atol=2e-3)


def batch_of(target):
    empty = torch.zeros(len(target), 1, dtype=torch.float64)
    return Batch(Condition(target[:, 0], target[:, :1], empty), target)


def wave(k, n=16):
    return torch.cos(2 * math.pi * k * torch.arange(n) / n).expand(n, n)


def test_the_worst_shell_gives_the_error_of_the_power():
    """Twice the amplitude in one shell of many: four times its power, whatever the others."""
    noise = torch.randn(5, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    truth = 10 + 0.01 * noise + wave(1) + wave(5)
    members = (truth + wave(5))[:, None].expand(-1, MEMBERS, -1, -1, -1)
    scores = score_ensemble(members, batch_of(truth), ["gas"], 0.2)
    assert scores["val_power_error_gas"] == pytest.approx(3.0, rel=0.01)
    less = (truth - 0.5 * wave(5))[:, None].expand(-1, MEMBERS, -1, -1, -1)
    scores = score_ensemble(less, batch_of(truth), ["gas"], 0.2)
    assert scores["val_power_error_gas"] == pytest.approx(0.75, rel=0.01)


def test_spread_and_skill_by_numpy():
    generator = torch.Generator().manual_seed(0)
    truth = 10 + torch.randn(6, 2, 16, 16, generator=generator)
    members = 10 + 0.5 * torch.randn(6, MEMBERS, 2, 16, 16, generator=generator)
    scores = score_ensemble(members, batch_of(truth), ["dm_hydro", "gas"], 0.2)
    spread = members.numpy().var(axis=1, ddof=1).mean((0, 2, 3))
    skill = ((members.mean(1) - truth).numpy() ** 2).mean((0, 2, 3))
    ratio = np.sqrt((MEMBERS + 1) / MEMBERS * spread / skill)
    for name, expected in zip(("dm_hydro", "gas"), ratio, strict=True):
        assert scores[f"val_spread_skill_{name}"] == pytest.approx(expected, rel=1e-4)


def test_a_picture_is_log_mass_above_a_floor_on_the_scale_of_the_truth():
    truth = torch.tensor([[[0.0, 9e7], [9.9e8, 0.0]]])
    members = torch.tensor([[[[0.0, 0.0], [1e12, 9e7]]]])
    assert (N_IMAGES, FLOOR_MSUNH) == (4, 1e7)
    image = picture(truth, members)[0]
    expected = torch.tensor([[0.0, 0.5, 0.0, 0.0], [1.0, 0.0, 1.0, 0.5]])
    torch.testing.assert_close(image, expected)
    flat = picture(torch.ones(1, 2, 2), torch.ones(1, 2, 2, 2))
    assert torch.equal(flat, torch.zeros(1, 2, 6))
