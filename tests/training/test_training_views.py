"""What a score looks at: means over squares and spectra, against numpy and known fields."""

import math

import numpy as np
import pytest
import torch
from tiny import TINY, normalise

from emulator.data.condition import Condition
from emulator.metrics.scores import SQUARES, scales_of
from emulator.model.field_transform import FieldTransform, cosmic_reference
from emulator.training.objectives.views import (
    N_BANDS,
    Views,
    band_power,
    square_means,
)

WINDOW = 16


@pytest.fixture(scope="module")
def transform(maps_dir):
    return FieldTransform(normalise(maps_dir, TINY))


@pytest.fixture(scope="module")
def condition(transform):
    generator = torch.Generator().manual_seed(0)
    field = torch.exp(torch.randn((4, WINDOW, WINDOW), generator=generator)) * 1e10
    params = torch.tensor([[0.3, 1.0]]).repeat(4, 1).double()
    return Condition(field, field[:, None].repeat(1, 2, 1, 1), params)


def followed(transform, condition):
    """Fields that follow the matter."""
    fraction = transform.normalisation.baryon_fraction(condition.params).to(condition.field)
    return torch.stack(
        [cosmic_reference(condition.field, fraction, c.field) for c in transform.channels], dim=1
    )


def test_squares_are_those_that_divide_the_window():
    assert (1, *SQUARES) == (1, 2, 4, 8)
    assert scales_of(32) == [1, 2, 4, 8, 32]
    assert scales_of(12) == [1, 2, 4, 12]
    assert scales_of(8) == [1, 2, 4, 8]


@pytest.mark.parametrize("side", [1, 2, 4])
def test_means_over_squares(side):
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 12))
    expected = x.reshape(2, 3, 8 // side, side, 12 // side, side).mean((3, 5)).reshape(2, 3, -1)
    assert square_means(torch.from_numpy(x), side).numpy() == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(32, 32), (16, 32), (9, 9)])
def test_white_noise_has_unit_power_in_every_band(shape):
    x = torch.randn((4000, *shape), generator=torch.Generator().manual_seed(1))
    power = band_power(x)
    error = power.std(0) / len(x) ** 0.5
    assert ((power.mean(0) - 1).abs() < 4 * error).all()


def test_a_wave_is_in_its_own_band_and_its_power_is_its_variance():
    """Modes of both signs hold ``n^2 / 2`` each of the sum of squares of a cosine."""
    n = 32
    places = torch.arange(n)
    found = []
    for waves in (1, 3, 15):
        x = (math.sqrt(2) * torch.cos(2 * math.pi * waves * places / n)).expand(n, n)
        power = band_power(5.0 + x)
        (band,) = (power > 1e-6).nonzero()[:, 0].tolist()
        found.append(band)
        # all of the variance, n^2, over the number of modes of the band
        radius = np.hypot(*np.meshgrid(np.fft.fftfreq(n, 1 / n), np.fft.fftfreq(n, 1 / n)))
        shell = np.rint(radius)
        edges = np.unique(np.round(np.logspace(0, np.log10(n // 2 + 1), N_BANDS + 1)))
        modes = ((shell >= edges[band]) & (shell < edges[band + 1])).sum()
        assert float(power[band]) == pytest.approx(n**2 / modes, rel=1e-5)
    assert found == sorted(set(found))


def test_fields_that_follow_the_matter_are_zero_in_every_view(transform, condition):
    views = Views(transform)(followed(transform, condition), condition)
    assert [tuple(v.shape) for v in views] == [
        *((4, 3, (WINDOW // side) ** 2) for side in scales_of(WINDOW)), (4, 3, 5)
    ]  # fmt: skip
    assert max(float(v.abs().max()) for v in views) < 1e-5


def test_a_factor_is_its_logarithm_in_squares_and_twice_that_in_power(transform, condition):
    """Far above the floor. A window of 16 pixels has shells for five bands."""
    dense = condition._replace(field=condition.field * 1e3)
    fields = followed(transform, dense) * math.e
    *squares, power = Views(transform)(fields, dense)
    for view in squares:
        assert view[:, :2].numpy() == pytest.approx(1.0, abs=0.001)
    assert power[:, :2].numpy() == pytest.approx(2.0, abs=0.001)


def test_gradients_reach_an_empty_pixel_through_the_step_of_a_hurdle(transform, condition):
    """No value changes, and an empty pixel of a member is told that it should be filled."""
    channels = torch.zeros(4, 4, WINDOW, WINDOW)
    occupied = -transform.mean[2] / transform.std[2]
    channels[:, 2] = occupied - 0.5
    channels[:, 2, ::4] = occupied + 0.5
    plain = transform.inverse_transform(channels, condition)
    channels.requires_grad_()
    relaxed = transform.inverse_transform(channels, condition, relaxed=True)
    torch.testing.assert_close(relaxed, plain, rtol=1e-6, atol=0.0)
    assert (relaxed[:, 2, 1::4] == 0).all()
    relaxed[:, 2].sum().backward()
    assert (channels.grad[:, 2] > 0).all()
    amplitude = channels.grad[:, 3]
    assert (amplitude[:, ::4] > 0).all()
    assert (amplitude[:, 1::4] == 0).all()
