"""Properties of the network: identities that any implementation must have."""

import pytest
import torch

from emulator.config import NetworkConfig
from emulator.networks.embeddings import ParameterEmbedding, fourier_features
from emulator.networks.unet import UNetVDM

SMALL = NetworkConfig(
    widths=(8, 16), blocks=1, attention_levels=(1,), groups=4, heads=2, embedding=16
)


def build(config=SMALL, n_params=2):
    torch.manual_seed(0)
    network = UNetVDM(
        config, n_channels=3, n_context=2, n_params=n_params, gamma_min=-13.3, gamma_max=13.0
    )
    for parameter in network.parameters():  # away from the zero start, where all is trivially zero
        torch.nn.init.normal_(parameter, std=0.2)
    return network.requires_grad_(False).eval()


def inputs(batch=2, size=16, n_params=2, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    return [
        draw(batch, 3, size, size), torch.linspace(-5, 5, batch), draw(batch, 3, size, size),
        draw(batch, n_params), torch.ones(batch, n_params),
    ]  # fmt: skip


def test_starts_at_zero():
    network = UNetVDM(SMALL, n_channels=3, n_context=2, n_params=2, gamma_min=-13.3, gamma_max=13.0)
    assert float(network.requires_grad_(False)(*inputs()).abs().max()) == 0.0


@pytest.mark.parametrize("index", range(5))
def test_output_depends_on_every_input(index):
    network, arguments = build(), inputs()
    before = network(*arguments)
    arguments[index] = arguments[index] + 0.5
    assert float((network(*arguments) - before).abs().max()) > 1e-4


def test_samples_of_a_batch_do_not_mix():
    network, arguments = build(), inputs(batch=3)
    alone = network(*[a[1:2] for a in arguments])
    torch.testing.assert_close(network(*arguments)[1:2], alone, rtol=1e-4, atol=1e-5)


def test_circular_padding_commutes_with_rolls():
    network = build(SMALL.model_copy(update={"padding": "circular"}))
    z, gamma, condition, params, mask = inputs()
    shift = (4, 8)  # a multiple of the coarsest pixel
    rolled = network(z.roll(shift, (2, 3)), gamma, condition.roll(shift, (2, 3)), params, mask)
    expected = network(z, gamma, condition, params, mask).roll(shift, (2, 3))
    torch.testing.assert_close(rolled, expected, rtol=1e-4, atol=1e-4)


def test_zero_padding_does_not():
    network = build()
    z, gamma, condition, params, mask = inputs()
    rolled = network(z.roll(4, 3), gamma, condition.roll(4, 3), params, mask)
    expected = network(z, gamma, condition, params, mask).roll(4, 3)
    assert float((rolled - expected).abs().max()) > 1e-3


def test_a_missing_parameter_cannot_leak():
    embedding = ParameterEmbedding(2, 8)
    mask = torch.tensor([[1.0, 0.0]])
    one, other = torch.tensor([[0.3, -1.0]]), torch.tensor([[0.3, 7.0]])
    torch.testing.assert_close(embedding(one, mask), embedding(other, mask))


def test_no_parameters_is_allowed():
    out = build(n_params=0)(*inputs(n_params=0))
    assert torch.isfinite(out).all()


def test_fourier_features_of_a_known_field():
    field = torch.full((1, 1, 2, 2), 0.5)
    features = fourier_features(field, [1.0])
    torch.testing.assert_close(
        features[0, :, 0, 0], torch.tensor([0.5, 1.0, 0.0]), atol=1e-6, rtol=0
    )


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="multiple of 2"):
        build()(*inputs(size=15))
