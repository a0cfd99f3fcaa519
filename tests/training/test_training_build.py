"""From a config to objects: channels, schedules, and what the network is told."""

import math

import pytest
import torch

from emulator.config import ChannelConfig, DiffusionConfig
from emulator.config.channels import resolve_channels
from emulator.fields import TARGETS, find_fields
from emulator.model.build import (
    build_parameterization,
    build_schedule,
    build_weight,
    channel_weights,
    data_noises,
)
from emulator.model.conditional import bind_condition, denoiser
from emulator.model.field_transform import Encoded

CHANNELS = resolve_channels(
    [
        ChannelConfig(name="stars", transform="hurdle", loss_weight=0.5, data_noise=0.01),
        ChannelConfig(name="gas", loss_weight=3.0),
        ChannelConfig(name="dm_hydro", transform="log", data_noise=0.02),
    ],
    find_fields(TARGETS),
)


def test_a_hurdle_field_has_two_channels_of_one_weight_and_noise():
    assert channel_weights(CHANNELS) == [0.5, 0.5, 3.0, 1.0]
    assert data_noises(CHANNELS, 0.001) == [0.01, 0.01, 0.001, 0.02]


@pytest.mark.parametrize(
    "name",
    ["fixed_linear", "learned_linear", "learned_nn", "logistic", "cosine", "sigmoid", "edm",
     "ddpm_linear", "ddpm_cosine"],
)  # fmt: skip
def test_every_schedule_starts_and_ends_where_the_config_says(name):
    """A table may end earlier; between the ends gamma increases."""
    weight = "bound" if name.startswith("learned") else "plain"
    diffusion = DiffusionConfig(schedule=name, gamma_min=-6.0, gamma_max=5.0, weight=weight)
    schedule = build_schedule(diffusion)
    assert schedule.gamma_min == pytest.approx(-6.0, abs=1e-4)
    assert schedule.gamma_max == pytest.approx(5.0, abs=1e-4)
    with torch.no_grad():
        assert (schedule.gamma(torch.linspace(0, 1, 50).double()).diff() > 0).all()


def test_a_logistic_schedule_has_its_median_where_the_config_says():
    diffusion = DiffusionConfig(
        gamma_min=-12.0, gamma_max=15.0, logistic_loc=1.5, logistic_scale=0.7
    )
    middle, upper = build_schedule(diffusion).gamma(torch.tensor([0.5, 0.75]).double())
    assert float(middle) == pytest.approx(1.5, abs=1e-6)
    assert float(upper - middle) == pytest.approx(0.7 * math.log(3), abs=1e-6)


def test_weights_have_the_numbers_of_the_config():
    gamma, slope = torch.tensor([-1.0]), torch.tensor([2.0])
    for name, options, expected in (
        ("min_snr", {"min_snr": 2.0}, 2.0 * math.exp(-1.0)),
        ("sigmoid", {"sigmoid_bias": 1.0}, 0.5),
        ("edm", {"sigma_data": 0.5}, 1 + 4 * math.exp(-1.0)),
    ):
        weight = build_weight(DiffusionConfig(weight=name, **options))
        assert float(weight.of_eps(gamma, slope)) == pytest.approx(expected)


KNOWN = torch.tensor([[1.0, 1.0], [1.0, 0.0]])


def bound(**options):
    """What the network is told beside z and gamma."""
    told = []

    def network(z, gamma, fields, params, mask):
        told.extend((fields, params, mask))
        return z

    fields = torch.arange(24.0).reshape(2, 3, 2, 2) + 1
    params = torch.tensor([[0.5, -1.0], [0.25, 2.0]])
    given = Encoded(fields, params, KNOWN)
    steered = bind_condition(network, given, DiffusionConfig(), **options)
    steered(torch.zeros(2, 1, 2, 2), torch.zeros(2))
    return fields, params, *told


def test_a_network_is_told_all_unless_something_is_dropped():
    fields, params, seen, seen_params, mask = bound()
    assert torch.equal(seen, fields)
    assert torch.equal(seen_params, params)
    assert torch.equal(mask, KNOWN)


def test_dropped_context_is_zero_and_the_condition_stays():
    fields, _, seen, _, _ = bound(keep_context=torch.tensor([0.0, 1.0]))
    assert torch.equal(seen[0, 1:], torch.zeros(2, 2, 2))
    assert torch.equal(seen[1], fields[1])
    assert torch.equal(seen[0, 0], fields[0, 0])


def test_unknown_parameters_are_masked():
    kept = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert torch.equal(bound(keep_params=kept)[-1], torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


def test_a_denoiser_reads_bfloat16_in_the_precision_of_the_field():
    read = denoiser(lambda z, gamma: z.bfloat16(), build_parameterization(DiffusionConfig()))
    z = torch.tensor([[[[1.0, 2.0]]]], dtype=torch.float64)
    prediction = read(z, torch.zeros(1, dtype=torch.float64))  # alpha = sigma at gamma 0
    torch.testing.assert_close(prediction.x, torch.zeros_like(z))
    torch.testing.assert_close(prediction.eps, math.sqrt(2) * z)
