"""Properties of the backbones: identities that any implementation must have."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from emulator.config import DiTConfig, UNetConfig, parse_config
from emulator.io import EmulatorError
from emulator.model.build import build_backbone
from emulator.networks.attention import SelfAttention
from emulator.networks.backbone import Interface, ParameterHead
from emulator.networks.dit import position_code
from emulator.networks.embeddings import ParameterEmbedding, fourier_features
from emulator.networks.folding import fold, unfold
from emulator.networks.summary import summarise

ROOT = Path(__file__).parents[2]
UNET = UNetConfig(widths=(8, 16), blocks=1, attention_levels=(1,), groups=4, heads=2, embedding=16)
CROSSED = UNET.model_copy(update={"cross_attention_levels": (1,)})
DIT = DiTConfig(kind="dit", patch=2, width=24, depth=2, heads=2)
CONFIGS = {"unet": UNET, "crossed": CROSSED, "dit": DIT}
CONFIGS |= {
    f"{name}-per-field": config.model_copy(update={"per_field": True})
    for name, config in CONFIGS.items()
}
CONFIGS |= {f"{name}-3d": config for name, config in CONFIGS.items()}
NDIM = {name: 3 if name.endswith("-3d") else 2 for name in CONFIGS}
EVERY = pytest.mark.parametrize("name", CONFIGS)


def make(config, n_params=2, n_context=2, ndim=2):
    fields = (0, 1, 1)
    return build_backbone(config, Interface(3, n_context, n_params, fields=fields, ndim=ndim))


def build(config=UNET, n_params=2, ndim=2):
    torch.manual_seed(0)
    network = make(config, n_params, ndim=ndim)
    for parameter in network.parameters():  # away from the zero start, where all is trivially zero
        torch.nn.init.normal_(parameter, std=0.2)
    return network.requires_grad_(False).eval()


def inputs(batch=2, size=8, n_params=2, seed=0, ndim=2):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    space = (size,) * ndim
    return [
        draw(batch, 3, *space), torch.linspace(-5, 5, batch), draw(batch, 3, *space),
        draw(batch, n_params), torch.ones(batch, n_params),
    ]  # fmt: skip


@EVERY
def test_starts_at_zero(name):
    network = make(CONFIGS[name], ndim=NDIM[name]).requires_grad_(False)
    assert float(network(*inputs(ndim=NDIM[name])).abs().max()) == 0.0


@EVERY
@pytest.mark.parametrize("index", range(5))
def test_output_depends_on_every_input(name, index):
    network, arguments = build(CONFIGS[name], ndim=NDIM[name]), inputs(ndim=NDIM[name])
    before = network(*arguments)
    arguments[index] = arguments[index] + 0.5
    assert float((network(*arguments) - before).abs().max()) > 1e-4


@EVERY
def test_samples_of_a_batch_do_not_mix_in_any_memory_format(name):
    config = CONFIGS[name]
    network, arguments = build(config, ndim=NDIM[name]), inputs(batch=3, ndim=NDIM[name])
    whole = network(*arguments)
    torch.testing.assert_close(
        whole[1:2], network(*[a[1:2] for a in arguments]), rtol=1e-4, atol=1e-5
    )
    last = torch.channels_last if NDIM[name] == 2 else torch.channels_last_3d
    arguments[0] = arguments[0].contiguous(memory_format=last)
    torch.testing.assert_close(network(*arguments), whole, rtol=1e-4, atol=1e-5)


@EVERY
def test_half_precision_is_close_to_single(name):
    network, arguments = build(CONFIGS[name], ndim=NDIM[name]), inputs(ndim=NDIM[name])
    expected = network(*arguments)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(*arguments).float()
    assert float((half - expected).std() / expected.std()) < 0.05


@EVERY
def test_checkpointing_changes_memory_and_not_gradients(name):
    config = CONFIGS[name]
    arguments, gradients = inputs(ndim=NDIM[name]), []
    for checkpointing in (False, True):
        network = build(config.model_copy(update={"checkpointing": checkpointing}), ndim=NDIM[name])
        network.requires_grad_(True).train()
        network(*arguments).square().mean().backward()
        gradients.append([p.grad for p in network.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_the_graph_can_be_captured_for_compilation():
    """In a process without the shape checks of the tests, which cannot be traced."""
    code = """
import sys, torch
sys.path.insert(0, 'tests/networks')
import test_networks_backbones as t
for name in ('crossed', 'dit', 'unet-per-field'):
    network, arguments = t.build(t.CONFIGS[name]), t.inputs()
    compiled = torch.compile(network, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(compiled(*arguments), network(*arguments))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True)


@EVERY
def test_a_network_moves_to_other_types_and_back(name):
    network = build(CONFIGS[name], ndim=NDIM[name])
    arguments = inputs(ndim=NDIM[name])
    expected = network(*arguments)
    double = network.double()(*[a.double() for a in arguments])
    torch.testing.assert_close(double.float(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["unet", "dit"])
def test_dropout_is_what_the_config_says(name):
    dropped = build(CONFIGS[name].model_copy(update={"dropout": 0.5}))
    arguments = inputs()
    assert torch.equal(dropped(*arguments), dropped(*arguments))
    dropped.train()
    assert not torch.equal(dropped(*arguments), dropped(*arguments))
    rates = {m.p for m in dropped.modules() if isinstance(m, torch.nn.Dropout)}
    assert rates == {0.5}


@pytest.mark.parametrize("name", ["unet", "crossed", "unet-per-field", "unet-3d"])
def test_circular_padding_commutes_with_rolls(name):
    network = build(CONFIGS[name].model_copy(update={"padding": "circular"}), ndim=NDIM[name])
    axes = tuple(range(2, 2 + NDIM[name]))
    z, gamma, condition, params, mask = inputs(ndim=NDIM[name])
    shift = (4, 2, 6)[: len(axes)]  # multiples of the coarsest pixel
    if name == "crossed":  # the context is no longer the same window: it must not be rolled
        rolled = torch.cat([condition[:, :1].roll(shift, axes), condition[:, 1:] * 0], 1)
        plain = torch.cat([condition[:, :1], condition[:, 1:] * 0], 1)
    else:
        rolled, plain = condition.roll(shift, axes), condition
    out = network(z.roll(shift, axes), gamma, rolled, params, mask)
    expected = network(z, gamma, plain, params, mask).roll(shift, axes)
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["zeros", "reflect"])
def test_other_padding_does_not(padding):
    network = build(UNET.model_copy(update={"padding": padding}))
    z, gamma, condition, params, mask = inputs()
    rolled = network(z.roll(4, 3), gamma, condition.roll(4, 3), params, mask)
    expected = network(z, gamma, condition, params, mask).roll(4, 3)
    assert float((rolled - expected).abs().max()) > 1e-3


def test_a_missing_parameter_cannot_leak():
    embedding = ParameterEmbedding(2, 8)
    mask = torch.tensor([[1.0, 0.0]])
    one, other = torch.tensor([[0.3, -1.0]]), torch.tensor([[0.3, 7.0]])
    torch.testing.assert_close(embedding(one, mask), embedding(other, mask))


@EVERY
def test_no_parameters_is_allowed(name):
    config = CONFIGS[name]
    network = build(config, n_params=0, ndim=NDIM[name])
    assert torch.isfinite(network(*inputs(n_params=0, ndim=NDIM[name]))).all()


@EVERY
def test_the_parameter_head_cannot_read_the_answer(name):
    """Its features do not change with parameters, mask or gamma; they do with the fields."""
    config = CONFIGS[name]
    network = build(config, ndim=NDIM[name])
    head = ParameterHead(network.feature_width, 2)
    z, _, condition, params, _ = inputs(ndim=NDIM[name])
    params.requires_grad_(True)
    z.requires_grad_(True)
    estimate = head(network.features(z, condition))
    assert estimate.shape == (2, 2)
    grads = torch.autograd.grad(estimate.sum(), [params, z], allow_unused=True)
    assert grads[0] is None
    assert float(grads[1].abs().max()) > 0


def test_fourier_features_of_a_known_field():
    field = torch.full((1, 1, 2, 2), 0.5)
    features = fourier_features(field, [1.0])
    torch.testing.assert_close(
        features[0, :, 0, 0], torch.tensor([0.5, 1.0, 0.0]), atol=1e-6, rtol=0
    )


def test_folding_is_space_to_depth_and_inverts():
    fields = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fold(fields, 2), functional.pixel_unshuffle(fields, 2))
    torch.testing.assert_close(unfold(fold(fields, 4), 4), fields)
    cube = torch.arange(4**3).reshape(1, 1, 4, 4, 4)
    block = fold(cube, 2)[0, :, 1, 0, 1]
    torch.testing.assert_close(block, cube[0, 0, 2:4, 0:2, 2:4].flatten())
    torch.testing.assert_close(unfold(fold(cube, 2), 2), cube)


def test_attention_is_softmax_of_products():
    """One head against the formula, written out."""
    torch.manual_seed(0)
    layer = SelfAttention(2, 4, heads=1, groups=2)
    torch.nn.init.eye_(layer.out.weight[..., 0, 0])
    h = torch.randn(1, 4, 3, 3)
    qkv = layer.qkv(layer.norm(h)).flatten(2)[0]
    query, key, value = qkv.T.chunk(3, dim=1)
    mixed = torch.softmax(query @ key.T / 2.0, dim=1) @ value
    torch.testing.assert_close(layer(h), h + mixed.T.reshape(1, 4, 3, 3))


def test_positions_have_codes_of_their_own():
    code = position_code((6, 5), 24)
    assert code.shape == (30, 24)
    apart = torch.cdist(code, code) + torch.eye(30) * 10
    assert float(apart.min()) > 0.1


def test_summary_counts_what_is_there():
    network = make(UNET)
    summary = summarise(network, make_inputs=lambda batch: inputs(batch=batch, size=16))
    assert summary.n_parameters == sum(p.numel() for p in network.parameters())
    # FLOPs of one convolution are known: 2 * 9 * n_in * n_out * pixels
    stem = 2 * 9 * network.stem.in_channels * network.stem.out_channels * 16 * 16
    doubled = copy.deepcopy(network)
    assert summary.forward_flop > stem
    doubled.stem = torch.nn.Sequential(
        doubled.stem, torch.nn.Conv2d(8, 8, 3, padding=1, bias=False)
    )
    more = summarise(doubled, make_inputs=lambda batch: inputs(batch=batch, size=16))
    assert more.forward_flop - summary.forward_flop == 2 * 9 * 8 * 8 * 256
    # activations grow with the batch, weights do not
    one, many = summary.training_bytes(1), summary.training_bytes(11)
    assert many - one == 10 * summary.activation_bytes
    assert summary.activation_bytes > 8 * 16 * 16 * 4
    checkpointed = make(UNET.model_copy(update={"checkpointing": True}))
    less = summarise(checkpointed, make_inputs=lambda batch: inputs(batch=batch, size=16))
    assert less.activation_bytes < summary.activation_bytes
    assert "M weights" in str(summary)


@pytest.mark.parametrize(("name", "factor"), [("unet", 2), ("dit", 2)])
def test_sizes_that_do_not_divide_are_refused(name, factor):
    with pytest.raises(ValueError, match=f"multiple of {factor}"):
        build(CONFIGS[name])(*inputs(size=9))


def test_cross_attention_without_context_is_refused():
    with pytest.raises(ValueError, match="needs context windows"):
        make(CROSSED, n_context=0)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"widths": [10, 20]}, ["widths", "groups and heads"]),
        ({"cross_attention_levels": [3]}, ["cross_attention_levels must be below 3"]),
        ({"kind": "dit", "width": 130}, ["width (130)"]),
        ({"kind": "dit", "widths": [8]}, ["widths", "unknown key"]),
        ({"ndim": 3}, ["ndim", "unknown key"]),
        ({"kind": "dut"}, ["network", "'dut'", "unet"]),
    ],
)
def test_bad_networks_are_named(network, words):
    with pytest.raises(EmulatorError) as error:
        parse_config({"name": "a", "model": {"network": network}})
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("scale", [1, 4])
@EVERY
def test_the_least_number_of_weights_is_below_and_near_the_true_one(name, scale):
    """By it a bundle's claims are judged before they take memory."""
    config = CONFIGS[name]
    sizes = {"width": 24 * scale} if config.kind == "dit" else {"widths": (8 * scale, 16 * scale)}
    config = config.model_copy(update=sizes)
    n_weights = sum(p.numel() for p in make(config, ndim=NDIM[name]).parameters())
    assert n_weights / 40 < config.least_weights(NDIM[name]) * config.count(2) <= n_weights
