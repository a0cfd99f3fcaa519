"""Hurdle channels of unit scale: analog bits, and what stands for the amplitude of empty pixels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from gapped import FILLED, module_of, raw
from tiny import SPLITS, normalise

from emulator.data.dataset import Batch
from emulator.data.maps import read_maps
from emulator.io import DataError, read_json
from emulator.model.bundle import read_card
from emulator.model.field_transform import FieldTransform
from emulator.model.gaps import Gaps
from emulator.model.normalisation import Normalisation
from emulator.model.windows import windows_for
from emulator.training.objectives.diffusion import Task
from emulator.training.objectives.regression import RegressionModule

FROZEN = Path(__file__).parents[1] / "regression"


@pytest.fixture(scope="module")
def fitted(maps_dir):
    """Statistics by option."""
    plain = {option: normalise(maps_dir, raw(empty_amplitude=option)) for option in FILLED}
    bits = normalise(maps_dir, raw(occupancy="analog_bits"))
    return {**plain, "bits": bits, "default": normalise(maps_dir, raw())}


@pytest.fixture(scope="module")
def batch(maps_dir, fitted):
    """Windows of which one has no stars at all."""
    maps = [read_maps(maps_dir / f"{name}.h5") for name in SPLITS["train"]]
    found = windows_for(fitted["default"], maps, window=16, batch_size=12, seed=3)[0]
    target = found.target.clone()
    target[5, 2] = 0.0
    return Batch(found.condition, target)


def occupied(batch, normalisation):
    return batch.target[:, 2] > normalisation.channels[2].floor


# ------------------------------------------------------------------------------- analog bits


def test_analog_bits_are_minus_one_and_one(fitted, batch):
    bits, default = fitted["bits"], fitted["default"]
    assert (bits.target_mean[2], bits.target_std[2]) == (0.0, 1.0)
    others = [0, 1, 3]
    for name in ("target_mean", "target_std"):
        for index in others:
            assert getattr(bits, name)[index] == getattr(default, name)[index]
    x = FieldTransform(bits).transform(batch.target, batch.condition)
    there = occupied(batch, bits)
    assert torch.equal(x[:, 2], torch.where(there, 1.0, -1.0))
    z_scored = FieldTransform(default).transform(batch.target, batch.condition)
    assert torch.equal(x[:, others], z_scored[:, others])
    back = FieldTransform(bits).inverse_transform(x, batch.condition)
    expected = torch.where(there, batch.target[:, 2], 0.0)
    torch.testing.assert_close(back[:, 2], expected, rtol=1e-5, atol=0.0)


# -------------------------------------------------------------------------- gaps and their noise


def test_the_share_is_that_of_the_occupied_pixels_of_the_training_split(maps_dir, fitted):
    floor = fitted["default"].channels[2].floor
    stars = [read_maps(maps_dir / f"{name}.h5").select(["stars"]) for name in SPLITS["train"]]
    share = (np.concatenate(stars) > floor).mean()
    for normalisation in fitted.values():
        assert normalisation.defined_share == (1.0, 1.0, 1.0, pytest.approx(share))
    assert 0.02 < share < 0.3


@pytest.mark.parametrize("option", FILLED)
def test_noise_stands_in_empty_pixels_and_leaves_the_others_alone(fitted, batch, option):
    normalisation = fitted[option]
    transform, gaps = FieldTransform(normalisation), Gaps(FieldTransform(normalisation))
    left = gaps.leave(batch.target, batch.condition)
    empty = ~occupied(batch, normalisation)
    assert torch.equal(torch.isnan(left[:, 3]), empty)
    noise = gaps.noise(left, torch.Generator().manual_seed(0))
    assert noise.shape == (12, 5, 16, 16)
    x, eps, _ = gaps.fill(left, noise)
    plain = transform.transform(batch.target, batch.condition)
    assert torch.equal(x[:, :3], plain[:, :3])
    assert torch.equal(x[:, 3][~empty], plain[:, 3][~empty])
    assert torch.equal(x[:, 3][empty], noise[:, 4][empty])
    assert torch.equal(eps, noise[:, :4])
    filling = x[:, 3][empty].double()
    n = len(filling)
    assert n > 1000
    assert float(filling.mean()) == pytest.approx(0.0, abs=4 / n**0.5)
    assert float(filling.var()) == pytest.approx(1.0, abs=4 * (2 / n) ** 0.5)
    back, without = (transform.inverse_transform(v, batch.condition) for v in (x, plain))
    assert torch.equal(back, without)  # the inverse does not read it


def test_without_gaps_everything_passes_as_it_is(fitted, batch):
    gaps = Gaps(FieldTransform(fitted["default"]))
    left = gaps.leave(batch.target, batch.condition)
    assert torch.equal(left, gaps.transform.transform(batch.target, batch.condition))
    generator = torch.Generator().manual_seed(0)
    noise = gaps.noise(left, generator)
    assert torch.equal(noise, torch.randn(left.shape, generator=generator.manual_seed(0)))
    x, eps, weights = gaps.fill(left, noise)
    assert torch.equal(x, left)
    assert torch.equal(eps, noise)
    assert weights is None
    before = generator.get_state()
    assert gaps.fill_from(left, generator) is left
    assert torch.equal(generator.get_state(), before)
    assert (gaps.log_density(left, x) == 0).all()


# ---------------------------------------------------------------------------------- the loss


def draws_of(gaps, left, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return gaps.noise(left, generator), torch.rand(len(left), generator=generator)


def some_network(z, gamma):
    return torch.sin(z) + 0.1 * gamma[:, None, None, None]


def errors_of(module, x, eps, t):
    """Squared errors of the v-prediction of `some_network`."""
    gamma = module.schedule.gamma(t)
    alpha, sigma = (torch.sigmoid(g).sqrt()[:, None, None, None] for g in (-gamma, gamma))
    return (some_network(alpha * x + sigma * eps, gamma) - (alpha * eps - sigma * x)).square()


def task_of(network, left):
    return Task(network, left, lambda drawn: drawn)


def test_a_masked_loss_is_that_of_the_occupied_pixels(fitted, batch):
    """Pixel by pixel: their sum over the number that is expected of them in a window."""
    normalisation = fitted["masked"]
    module = module_of(normalisation)
    left, _ = module.normalise(batch)
    noise, t = draws_of(module.gaps, left)
    found = module._loss(task_of(some_network, left), batch, noise, t)
    there, share = occupied(batch, normalisation), normalisation.defined_share[3]
    eps, filling = noise[:, :4], noise[:, 4]
    x = left.clone()
    x[:, 3] = torch.where(there, left[:, 3], filling)
    errors = errors_of(module, x, eps, t).double()
    weights = [1.0, 1.0, 3.0, 3.0]  # of the fields
    for row in range(12):
        channels = [float(errors[row, index].mean()) for index in range(3)]
        pairs = zip(errors[row, 3].flatten().tolist(), there[row].flatten().tolist(), strict=True)
        pixels = [error for error, is_there in pairs if is_there]
        channels.append(sum(pixels) / (share * 256))
        expected = sum(w * c for w, c in zip(weights, channels, strict=True)) / sum(weights)
        assert float(found[row]) == pytest.approx(expected, rel=1e-5)
    assert not there[5].any()  # a window without stars has the loss of the other channels


def test_a_masked_loss_asks_nothing_of_empty_pixels(fitted, batch):
    """No gradient reaches the output there, and all of it the occupied ones; none is NaN."""
    module = module_of(fitted["masked"])
    left, _ = module.normalise(batch)
    noise, t = draws_of(module.gaps, left)
    output = torch.zeros_like(left).requires_grad_()
    module._loss(task_of(lambda z, gamma: output, left), batch, noise, t).sum().backward()
    there = occupied(batch, fitted["masked"])
    assert torch.equal(output.grad[:, 3] != 0, there)
    assert torch.isfinite(output.grad).all()
    only = Batch(batch.condition.rows([5]), batch.target[[5]])
    left, _ = module.normalise(only)
    alone = module._loss(task_of(some_network, left), only, noise[[5]], t[[5]])
    assert torch.isfinite(alone).all()


def test_a_filled_loss_is_that_of_all_pixels(fitted, batch):
    module = module_of(fitted["noise"])
    left, _ = module.normalise(batch)
    noise, t = draws_of(module.gaps, left)
    x = left.clone()
    x[:, 3] = torch.where(occupied(batch, fitted["noise"]), left[:, 3], noise[:, 4])
    channels = errors_of(module, x, noise[:, :4], t).mean((2, 3))
    expected = channels @ torch.tensor([1.0, 1.0, 3.0, 3.0]) / 8
    found = module._loss(task_of(some_network, left), batch, noise, t)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("option", FILLED)
def test_the_regression_learns_the_same_mean(fitted, batch, option):
    """What stands in empty pixels is for a model that draws; a mean has never seen them."""
    gradients = {}
    for name in ("default", option):
        module = module_of(fitted[name], RegressionModule)
        x, _ = module.normalise(batch)
        assert torch.equal(torch.isnan(x[:, 3]), ~occupied(batch, fitted[name]))
        output = torch.zeros_like(x).requires_grad_()
        module._loss(lambda z, gamma, output=output: output, x).sum().backward()
        gradients[name] = output.grad
    assert torch.equal(gradients[option], gradients["default"])


# ------------------------------------------------------------------------------- old bundles


@pytest.mark.parametrize("name", ["bundle_format_2", "trained"])
def test_old_bundles_hold_what_they_did(name):
    card = read_card(FROZEN / name)
    written = read_json(FROZEN / name / "model.json", sealed=name == "trained")["normalisation"]
    stars = card.normalisation.channels[2]
    assert (stars.occupancy, stars.empty_amplitude) == ("z_score", "zero")
    assert card.normalisation.defined_share is None
    assert list(card.normalisation.target_mean) == written["target_mean"]
    gaps = Gaps(FieldTransform(card.normalisation))
    assert (gaps.filled, gaps.n_noise) == ([], 4)


@pytest.mark.parametrize("share", [None, [1.0], [1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.5]])
def test_masked_channels_need_their_share(fitted, share):
    value = fitted["masked"].model_dump(mode="json")
    assert Normalisation.parse(value, "n.json") == fitted["masked"]
    with pytest.raises(DataError, match=r"n\.json.*defined_share"):
        Normalisation.parse(value | {"defined_share": share}, "n.json")
