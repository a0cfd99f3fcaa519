"""Pixels that count more where there is more matter: what is weighed, and what is not moved."""

import pytest
import torch
from tiny import SPLITS, TINY, normalise, run

from emulator.config import parse_config
from emulator.config.section import ConfigError
from emulator.data.condition import Condition
from emulator.data.maps import read_maps
from emulator.model.build import build_network
from emulator.model.field_transform import FieldTransform
from emulator.model.windows import windows_for
from emulator.training.objectives.base import Part
from emulator.training.objectives.diffusion import DiffusionModule
from emulator.training.objectives.tilt import MassTilt


def condition_of(masses):
    field = torch.as_tensor(masses)
    return Condition(field, field[:, None], torch.zeros(len(field), 1))


def test_weights_are_powers_of_the_mass_and_one_on_average():
    masses = 10.0 ** torch.linspace(9.0, 13.0, 32).reshape(2, 4, 4)
    tilt = MassTilt(0.5, 1.0e8)
    tilt.measure([condition_of(masses[:1]), condition_of(masses[1:])])
    weights = tilt(condition_of(masses))
    assert weights.shape == (2, 1, 4, 4)
    assert float(weights.mean()) == pytest.approx(1.0, rel=1e-6)
    ratio = weights[1, 0, 3, 3] / weights[0, 0, 0, 0]
    assert float(ratio) == pytest.approx(((1e13 + 1e8) / (1e9 + 1e8)) ** 0.5, rel=1e-5)


def test_without_power_all_pixels_count_alike():
    tilt = MassTilt(0.0, 1.0e8)
    assert (tilt(condition_of(10.0 ** torch.rand(2, 4, 4))) == 1).all()


@pytest.mark.parametrize("hurdle", [{}, {"empty_amplitude": "masked"}])
def test_the_loss_of_the_diffusion_is_that_of_weighed_pixels(maps_dir, hurdle):
    """Brute force: the network returns nothing, so errors are the targets themselves."""
    channels = [
        {"name": "dm_hydro"},
        {"name": "gas"},
        {"name": "stars", "transform": "hurdle", "floor": 1.0e9, **hurdle},
    ]
    raw = {**TINY, "model": {**TINY["model"], "channels": channels}}
    raw["diffusion"] = {**TINY.get("diffusion", {}), "mass_tilt": 0.5, "prediction": "v"}
    config, normalisation = parse_config(raw), normalise(maps_dir, raw)
    maps = [read_maps(maps_dir / f"{name}.h5") for name in SPLITS["train"]]
    windows = windows_for(normalisation, maps, window=16, batch_size=6, seed=0)
    module = DiffusionModule(
        build_network(config.model.network, config.diffusion, normalisation),
        FieldTransform(normalisation), config.training, config.diffusion,
        seed=0, pixel_mpch=0.2,
    )  # fmt: skip
    torch.nn.init.zeros_(module.network.out.weight)
    torch.nn.init.zeros_(module.network.out.bias)
    module.measure(windows)
    batch = windows[0]
    torch.manual_seed(0)
    draws = module.draw(batch, Part(6, slice(0, 6)))
    x, _ = module.normalise(batch)
    data = module.gaps.fill(x, draws.eps)
    gamma = module.schedule.levels(draws.t).gamma
    target = module.parameterization.target(data.x, data.eps, gamma)
    assert not torch.count_nonzero(module.task(module.network, batch).network(data.x, gamma))
    weights = module.pixels(batch.condition).expand_as(target)
    if data.pixel_weights is not None:
        weights = weights * data.pixel_weights
    per_channel = (target**2 * weights).mean((-2, -1))
    cost = module.weight.of_output(
        module.parameterization, gamma, module.schedule.levels(draws.t).slope
    )
    shares = module.weights / module.weights.mean()
    expected = (per_channel * cost[:, None] * shares).mean(1)
    torch.testing.assert_close(module.losses(batch, draws), expected, rtol=1e-4, atol=1e-5)


def test_no_tilt_is_the_training_of_before(maps_dir, tmp_path):
    training = {**TINY["training"], "max_steps": 4, "checkpoint_steps": 2}
    diffusion = TINY.get("diffusion", {})
    weights = [
        run(maps_dir, tmp_path / str(i), training=training, diffusion={**diffusion, **tilt})
        for i, tilt in enumerate(({}, {"mass_tilt": 0.0}, {"mass_tilt": 0.5}))
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_a_schedule_that_learns_by_the_bound_refuses_it():
    raw = {"schedule": "learned_nn", "weight": "bound", "mass_tilt": 0.5}
    with pytest.raises(ConfigError, match=r"all pixels count alike: set mass_tilt to 0"):
        parse_config({**TINY, "diffusion": raw})
    parse_config({**TINY, "diffusion": {**raw, "mass_tilt": 0.0}})
