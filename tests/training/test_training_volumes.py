"""Models of volumes: what acts on pixels acts on voxels alike, and all objectives train."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emulator.config import (
    DiffusionConfig,
    ResidualConfig,
    SamplingConfig,
    TrainingConfig,
    UNetConfig,
)
from emulator.data.condition import Condition
from emulator.data.dataset import Batch
from emulator.diffusion.consistency import Ladder
from emulator.io import read_json
from emulator.model.build import build_network
from emulator.model.card import parse_card
from emulator.model.field_transform import FieldTransform
from emulator.model.residual import Centre
from emulator.sampling.samplers import build_sampler
from emulator.training.monitor import score_ensemble
from emulator.training.objectives.base import Part
from emulator.training.objectives.consistency import ConsistencyModule
from emulator.training.objectives.diffusion import DiffusionModule
from emulator.training.objectives.regression import RegressionModule
from emulator.training.objectives.residual import ResidualModule

FROZEN = Path(__file__).parents[1] / "regression/trained"
NETWORK = UNetConfig(widths=(8, 16), blocks=1, attention_levels=(1,), groups=4, embedding=16)
SIDE = 8
OPTIONS = {"seed": 0, "pixel_mpch": 0.5}
OBJECTIVES = ["diffusion", "residual", "consistency", "regression"]


@pytest.fixture(scope="module")
def card():
    return parse_card(read_json(FROZEN / "model.json"), "card")


@pytest.fixture(scope="module")
def flat(card):
    return card.normalisation


@pytest.fixture(scope="module")
def cubes(flat):
    return flat.model_copy(update={"dimensions": 3})


@pytest.fixture(scope="module")
def batch(flat):
    rng = np.random.default_rng(0)
    space = (SIDE,) * 3
    field = rng.lognormal(24.0, 1.0, (2, *space)).astype(np.float32)
    n_levels, n_fields = len(flat.context_factors), len(flat.channels)
    context = rng.lognormal(24.0, 0.5, (2, n_levels, *space)).astype(np.float32)
    shares = rng.uniform(0.0, 0.3, (2, n_fields, *space)).astype(np.float32)
    target = field[:, None] * shares * (rng.uniform(size=shares.shape) < 0.7)
    params = np.array([[scale.fiducial for scale in flat.params.values()]] * 2)
    condition = Condition(*map(torch.from_numpy, (field, context, params)))
    return Batch(condition, torch.from_numpy(target.astype(np.float32)))


def layer(batch, z):
    field, context, params = batch.condition
    return Batch(Condition(field[:, z], context[:, :, z], params), batch.target[:, :, z])


def module_of(objective, normalisation, **training):
    torch.manual_seed(0)
    diffusion, transform = DiffusionConfig(mass_tilt=0.5), FieldTransform(normalisation)
    network = build_network(NETWORK, diffusion, normalisation, objective)
    for parameter in network.parameters():  # away from the zero start
        torch.nn.init.normal_(parameter, std=0.1)
    config = TrainingConfig(precision="32", **training)
    match objective:
        case "diffusion":
            return DiffusionModule(network, transform, config, diffusion, **OPTIONS)
        case "residual":
            return ResidualModule(
                network, transform, config, diffusion, ResidualConfig(), **OPTIONS
            )
        case "regression":
            return RegressionModule(network, transform, config, **OPTIONS)
    teacher = build_network(NETWORK, diffusion, normalisation)
    ladder = Ladder(gamma_max=10.0, gamma_end=-8.0, levels=4)
    return ConsistencyModule(network, transform, config, diffusion, teacher, ladder, **OPTIONS)


def test_fields_of_voxels_are_transformed_as_those_of_pixels(flat, cubes, batch):
    """Transforms see one pixel at a time: a volume is the stack of its layers."""
    whole, alone = FieldTransform(cubes), FieldTransform(flat)
    x = whole.transform(batch.target, batch.condition)
    seen = whole.encode(batch.condition)
    values, known = whole.observe(batch.target, batch.condition)
    back = whole.inverse_transform(x, batch.condition)
    for z in range(SIDE):
        here = layer(batch, z)
        expected = alone.transform(here.target, here.condition)
        assert torch.equal(x[:, :, z], expected)
        assert torch.equal(back[:, :, z], alone.inverse_transform(expected, here.condition))
        assert torch.equal(seen.fields[:, :, z], alone.encode(here.condition).fields)
        pair = alone.observe(here.target, here.condition)
        assert torch.equal(values[:, :, z], pair[0])
        assert torch.equal(known[:, :, z], pair[1])


def test_mean_and_spread_of_a_volume_cost_what_those_of_its_layers_do(flat, cubes, batch):
    volumes, maps = module_of("residual", cubes), module_of("residual", flat)
    x, _ = volumes.normalise(batch)
    generator = torch.Generator().manual_seed(0)
    mean, log_scale = torch.randn((2, *x.shape), generator=generator)
    moved = torch.ones(x.shape[1])
    whole = volumes.centre_loss(x, Centre(mean, log_scale, moved), batch)
    layers = [
        maps.centre_loss(
            x[:, :, z], Centre(mean[:, :, z], log_scale[:, :, z], moved), layer(batch, z)
        )
        for z in range(SIDE)
    ]
    torch.testing.assert_close(whole, torch.stack(layers).mean(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_teaches_every_weight(objective, cubes, batch):
    module = module_of(objective, cubes)
    torch.manual_seed(1)
    draws = module.draw(batch, Part(2, slice(0, 2)))
    losses = module.losses(batch, draws)
    assert losses.shape == (2,)
    assert torch.isfinite(losses).all()
    losses.sum().backward()
    idle = [name for name, p in module.network.named_parameters() if p.grad is None]
    assert idle == []


@pytest.mark.parametrize("objective", ["diffusion", "residual"])
def test_members_of_a_volume_do_not_mix(objective, card, cubes, batch):
    """Drawn together or alone, and of the condition as it is: another one gives others."""
    facts = {**card.training, "objective": objective}
    grid = card.grid.model_copy(update={"dimensions": 3})
    three = card.model_copy(update={"normalisation": cubes, "grid": grid, "training": facts})
    network = module_of(objective, cubes).network.requires_grad_(False).eval()
    sampler = build_sampler(three, network)
    given = FieldTransform(cubes).encode(batch.condition)
    generator = torch.Generator().manual_seed(2)
    shape = (2, sampler.noise_channels, *(SIDE,) * 3)
    noise = torch.randn(shape, generator=generator)
    options = SamplingConfig(n_steps=3)
    both = sampler.draw(given, lambda: noise, options, None)
    assert both.shape == (2, sampler.n_channels, *(SIDE,) * 3)
    one = type(given)(*(part[1:] for part in given))
    alone = sampler.draw(one, lambda: noise[1:], options, None)
    torch.testing.assert_close(alone[0], both[1], rtol=1e-3, atol=1e-3)
    other = type(given)(given.fields.flip(0), *given[1:])
    assert float((sampler.draw(other, lambda: noise, options, None) - both).abs().max()) > 1e-3


def test_the_scores_that_are_watched_are_those_of_volumes(batch):
    members = batch.target[:, None].repeat(1, 4, 1, 1, 1, 1)
    names = [f"f{i}" for i in range(batch.target.shape[1])]
    for factor, error in ((1.0, 0.0), (2.0, 3.0)):
        scores = score_ensemble(factor * members, batch, names, 0.5)
        found = [scores[f"val_power_error_{name}"] for name in names]
        assert found == pytest.approx([error] * len(names), abs=1e-5)
