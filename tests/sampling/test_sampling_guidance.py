"""Guidance against its formula, on a network that returns what it is told."""

import math

import pytest
import torch

from emulator.config import DiffusionConfig, SamplingConfig
from emulator.model.field_transform import Encoded
from emulator.sampling.samplers.steering import steered_denoiser

GAMMA, SCALE = 0.7, 2.5
ALPHA, SIGMA = (1 + math.exp(GAMMA)) ** -0.5, (1 + math.exp(-GAMMA)) ** -0.5
TRAINED = DiffusionConfig(drop_params=0.1, drop_context=0.1)
PARAMS = torch.tensor([[0.5, -1.0], [0.25, 0.75], [0.0, 1.0]])
KNOWN = torch.tensor([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
FIELDS = torch.tensor([[2.0, 3.0, 5.0], [-1.0, 0.5, 4.0], [1.0, 1.0, 1.0]])
Z = torch.linspace(-1, 1, 3 * 4 * 4).reshape(3, 1, 4, 4)


def told(z, gamma, fields, params, mask):
    """One number a sample: its known parameters, its condition and its context."""
    first, context = fields[:, 0].mean((-2, -1)), fields[:, 1:].mean((-2, -1)).sum(1)
    number = (params * mask).sum(1) + 10 * first + 100 * context
    return number[:, None, None, None].expand_as(z)


def draw(gamma=GAMMA, **options):
    fields = FIELDS[:, :, None, None].expand(-1, -1, 4, 4)
    given = Encoded(fields, PARAMS, KNOWN)
    denoise = steered_denoiser(told, given, TRAINED, SamplingConfig(**options))
    return denoise(Z, torch.full((3,), gamma))


def velocity(*, params=1.0, context=1.0):
    of_params = params * torch.tensor([-0.5, 0.25, 1.0])  # only what is known
    of_context = context * torch.tensor([8.0, 4.5, 2.0])
    return (of_params + 10 * FIELDS[:, 0] + 100 * of_context)[:, None, None, None]


def assert_reads(prediction, v):
    """X = alpha z - sigma v and eps = sigma z + alpha v."""
    torch.testing.assert_close(prediction.x, ALPHA * Z - SIGMA * v)
    torch.testing.assert_close(prediction.eps, SIGMA * Z + ALPHA * v)


def test_without_guidance_the_network_is_told_all():
    assert_reads(draw(), velocity())


@pytest.mark.parametrize("drops", [("params",), ("context",), ("params", "context")])
@pytest.mark.parametrize("scale", [0.0, SCALE])
def test_guidance_exaggerates_what_the_dropped_condition_changes(drops, scale):
    """V_u + w (v_c - v_u): every reading is linear in the output."""
    without = velocity(**dict.fromkeys(drops, 0.0))
    expected = without + scale * (velocity() - without)
    assert_reads(draw(guidance_scale=scale, guidance_drops=drops), expected)


@pytest.mark.parametrize(
    ("interval", "inside"), [((0.7, 1.0), True), ((-2.0, 0.7), True), ((0.8, 1.0), False)]
)
def test_guidance_acts_in_its_interval(interval, inside):
    without = velocity(params=0.0)
    scale = SCALE if inside else 1.0
    drawn = draw(guidance_scale=SCALE, guidance_interval=interval)
    assert_reads(drawn, without + scale * (velocity() - without))
