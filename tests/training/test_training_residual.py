"""A mean, a spread, and a diffusion of what they leave: what is learned, and what is drawn."""

import numpy as np
import pytest
import torch
from killed import killed_at
from tiny import SPLITS, TINY, normalise, run

import emulator
from emulator.config import SamplingConfig, parse_config
from emulator.config.section import ConfigError
from emulator.data.maps import read_maps
from emulator.io import EmulatorError
from emulator.model.build import build_network
from emulator.model.bundle import read_bundle
from emulator.model.field_transform import FieldTransform
from emulator.model.residual import LOG_SCALES, Centre, centre_of, moved_channels, seeing
from emulator.model.windows import windows_for
from emulator.sampling.inputs import prepare_condition
from emulator.training.objectives.base import Part
from emulator.training.objectives.residual import ResidualModule

TRAINING = {**TINY["training"], "precision": "32", "objective": "residual"}
PLAIN = {**TINY["model"], "network": {**TINY["model"]["network"], "dropout": 0.0}}


@pytest.fixture(scope="module")
def normalisation(maps_dir):
    return normalise(maps_dir, TINY)


@pytest.fixture(scope="module")
def windows(maps_dir, normalisation):
    maps = [read_maps(maps_dir / f"{name}.h5") for name in SPLITS["train"]]
    return windows_for(normalisation, maps, window=16, batch_size=6, seed=0)


@pytest.fixture(scope="module")
def trained(maps_dir, tmp_path_factory):
    root = tmp_path_factory.mktemp("residual")
    run(maps_dir, root, training=TRAINING)
    return root


def module_of(normalisation, **residual):
    config = parse_config({**TINY, "training": TRAINING, "residual": residual})
    torch.manual_seed(0)
    network = build_network(config.model.network, config.diffusion, normalisation, "residual")
    return ResidualModule(
        network, FieldTransform(normalisation), config.training, config.diffusion, config.residual,
        seed=0, pixel_mpch=0.2,
    )  # fmt: skip


def some_centre(n_batch=2, moved=(1.0, 1.0, 0.0)):
    generator = torch.Generator().manual_seed(1)
    mean, log_scale = torch.randn((2, n_batch, 3, 4, 4), generator=generator).double()
    return Centre(mean, log_scale, torch.tensor(moved).double()[:, None, None])


# ------------------------------------------------------------------------------------- centre


def test_what_is_taken_out_comes_back_and_gaps_stay():
    centre, x = some_centre(), torch.randn(2, 3, 4, 4).double()
    torch.testing.assert_close(centre.add(centre.remove(x)), x)
    expected = (x - centre.mean) / centre.log_scale.exp()
    torch.testing.assert_close(centre.remove(x)[:, :2], expected[:, :2])
    torch.testing.assert_close(centre.remove(x)[:, 2], x[:, 2])
    x[0, 2, 1, 1] = torch.nan
    assert torch.isnan(centre.remove(x)).nonzero().tolist() == [[0, 2, 1, 1]]


def test_the_volume_is_that_of_the_jacobian():
    """Brute force: the determinant of all 48 values of a sample."""
    centre = some_centre(n_batch=1)
    jacobian = torch.autograd.functional.jacobian(
        lambda r: centre.add(r.reshape(1, 3, 4, 4)).flatten(), torch.zeros(48).double()
    )
    torch.testing.assert_close(centre.log_volume()[0], torch.linalg.slogdet(jacobian)[1])


def test_channels_of_a_hurdle_stay_as_they_are(normalisation):
    names = [c.transform for c in normalisation.channels]
    moved = moved_channels(normalisation.channels).tolist()
    assert names == ["log_ratio", "log_ratio", "hurdle"]
    assert moved == [1.0, 1.0, 0.0, 0.0]


def test_the_network_is_asked_once_for_the_centre_and_then_sees_it():
    """Channels in order: of z, the mean, the log of the scale, which is bounded."""
    asked = []

    def network(z, gamma):
        asked.append((z, gamma))
        parts = [torch.full((2, 2, 4, 4), value) for value in (7.0, 3.0, 99.0)]
        return torch.cat(parts, 1)

    moved = torch.ones(2, 1, 1)
    centre = centre_of(network, torch.full((2, 2, 4, 4), torch.nan), moved)
    assert (asked[0][0] == 0).all()
    assert asked[0][0].shape == (2, 6, 4, 4)
    assert (centre.mean == 3).all()
    assert (centre.log_scale == LOG_SCALES[1]).all()
    z = torch.randn(2, 2, 4, 4)
    out = seeing(network, centre)(z, torch.zeros(2))
    torch.testing.assert_close(asked[1][0], torch.cat([z, centre.mean, centre.log_scale], 1))
    assert (out == 7).all()
    assert out.shape == z.shape


# --------------------------------------------------------------------------------------- loss


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_the_loss_is_least_at_mean_and_spread_of_the_data(normalisation, windows, beta):
    """Closed form: of one value for all pixels, the moments of the defined pixels."""
    module, batch = module_of(normalisation, beta=beta), windows[0]
    x, _ = module.normalise(batch)
    _, defined = module.field_transform.observe(batch.target, batch.condition)
    mean = torch.stack([x[:, i][defined[:, i] > 0].double().mean() for i in range(4)])
    std = torch.stack([x[:, i][defined[:, i] > 0].double().std(correction=0) for i in range(4)])
    mean.requires_grad_()
    log_scale = std.log().requires_grad_()
    spread = [v[:, None, None].expand(x.shape) for v in (mean, log_scale)]
    moved = moved_channels(normalisation.channels)
    module.centre_loss(x.double(), Centre(*spread, moved), batch).mean().backward()
    assert float(mean.grad.abs().max()) < 1e-6
    assert float(log_scale.grad.abs().max()) < 1e-6


def test_the_diffusion_teaches_neither_mean_nor_spread(normalisation, windows):
    """Weights of the last layer that write them have the gradient of their own loss alone."""
    module, batch = module_of(normalisation), windows[0]
    torch.nn.init.normal_(module.network.out.weight, std=0.1)
    torch.manual_seed(0)
    draws = module.draw(batch, Part(6, slice(0, 6)))
    own = []
    for both in (True, False):
        module.zero_grad()
        task = module.task(module.network, batch)
        loss = module.losses(batch, draws) if both else task.beside
        loss.mean().backward()
        own.append(module.network.out.weight.grad[4:].clone())
    torch.testing.assert_close(own[0], own[1])
    assert float(own[0].abs().max()) > 0


def test_residuals_of_a_trained_centre_are_diffused(normalisation, windows):
    module, batch = module_of(normalisation), windows[0]
    torch.nn.init.normal_(module.network.out.weight, std=0.1)
    x, _ = module.normalise(batch)
    task = module.task(module.network, batch)
    torch.testing.assert_close(task.restore(task.x), x, equal_nan=True)
    assert not torch.allclose(task.x[:, :2], x[:, :2])
    torch.testing.assert_close(task.x[:, 2:], x[:, 2:], equal_nan=True)


# ----------------------------------------------------------------------------------- training


def test_a_step_in_parts_is_the_same_step(maps_dir, tmp_path):
    found = []
    for accumulate in (1, 2, 4):
        training = {**TRAINING, "accumulate": accumulate}
        found.append(run(maps_dir, tmp_path / str(accumulate), training=training, model=PLAIN))
    for weights in found[1:]:
        for name, tensor in found[0].items():
            torch.testing.assert_close(weights[name], tensor, rtol=0, atol=1e-5)


def test_an_interrupted_run_ends_with_the_same_weights(maps_dir, trained, tmp_path, monkeypatch):
    with (
        killed_at(monkeypatch, 5, KeyboardInterrupt("killed")),
        pytest.raises((KeyboardInterrupt, SystemExit, EmulatorError)),
    ):
        run(maps_dir, tmp_path, training=TRAINING)
    run(maps_dir, tmp_path, training=TRAINING)
    files = [(side / "model/weights.safetensors").read_bytes() for side in (trained, tmp_path)]
    assert files[0] == files[1]


# ----------------------------------------------------------------------------------- sampling


@pytest.fixture
def model(trained):
    return emulator.load(trained / "model", device="cpu")


@pytest.fixture
def conditions(maps_dir):
    maps = read_maps(maps_dir / "CV_0.h5")
    return maps.select(["dmo"])[0, 0], [(8, 8), (30, 40)], maps.params


def draw(model, conditions, **options):
    field, centres, params = conditions
    return model.sample(field, params, centres=centres, **options)


FEW = SamplingConfig(n_steps=4)


def test_members_do_not_depend_on_batches_and_take_one_pass_more(trained, model, conditions):
    calls = []
    hook = model.network.register_forward_hook(lambda *_: calls.append(1))
    whole = draw(model, conditions, n_members=4, sampling=FEW)
    hook.remove()
    assert len(calls) == 4 + 1
    small = FEW.model_copy(update={"batch_size": 3})
    parts = draw(model, conditions, n_members=4, sampling=small)
    np.testing.assert_allclose(whole.fields.values, parts.fields.values, rtol=1e-4)
    assert whole.attrs["n_steps"] == 4
    assert (whole.fields.std("member").mean(("sample", "y", "x")) > 0).all()
    card, network = read_bundle(trained / "model")
    assert card.facts.objective == "residual"
    assert card.modes is None
    assert network.out.weight.shape[0] == 3 * 4


def set_centre(model, mean, log_scale):
    """A network that returns this centre everywhere, and is blind otherwise."""
    with torch.no_grad():
        model.network.out.weight.zero_()
        model.network.out.bias.copy_(torch.tensor([0.0] * 4 + mean + log_scale))


def prepared(model, field, params, centres):
    card = model.card
    return prepare_condition(field, params, card.normalisation, card.grid, centres=centres)


def test_members_are_mean_and_spread_of_what_is_diffused(model, conditions):
    """Twice the spread and another mean: the same residual, moved; stars are as they were."""
    shift, factor = [0.3, -0.2, 5.0, 5.0], [np.log(2.0), np.log(0.5), 1.0, 1.0]
    drawn = []
    for mean, log_scale in (([0.0] * 4, [0.0] * 4), (shift, factor)):
        set_centre(model, mean, log_scale)
        drawn.append(draw(model, conditions, n_members=3, sampling=FEW).fields.values)
    std = np.asarray(model.card.normalisation.target_std)
    target_mean = np.asarray(model.card.normalisation.target_mean)
    for i in range(2):
        # of a log-ratio without floor: ln of the masses is a constant and the channel times std
        floor = model.card.normalisation.channels[i].floor
        plain, moved = (np.log(values[:, :, i] + floor) for values in drawn)
        one, other = (plain - plain[:, :1]), (moved - moved[:, :1])
        inside = (drawn[0][:, :, i] > 0).all(1) & (drawn[1][:, :, i] > 0).all(1)
        where = np.broadcast_to(inside[:, None], one.shape)
        np.testing.assert_allclose(
            other[where], np.exp(factor[i]) * one[where], rtol=1e-3, atol=2e-3
        )
        expected = plain * np.exp(factor[i]) + (1 - np.exp(factor[i])) * (
            target_mean[i] + _log_reference(model, conditions, i)
        )
        expected += std[i] * shift[i]
        np.testing.assert_allclose(moved[where], expected[where], atol=5e-3)
    np.testing.assert_array_equal(drawn[0][:, :, 2], drawn[1][:, :, 2])


def _log_reference(model, conditions, channel):
    """``ln`` of what the field would be if it followed the matter, from the inverse of zero."""
    field, centres, params = conditions
    condition = prepared(model, field, params, centres)
    normalisation = model.card.normalisation
    zero = torch.zeros(len(centres), 4, 16, 16)
    masses = FieldTransform(normalisation).inverse_transform(zero, condition)[:, channel]
    floor = normalisation.channels[channel].floor
    return (np.log(masses.numpy() + floor) - normalisation.target_mean[channel])[:, None]


def test_the_density_is_that_of_the_residual_over_the_volume(model, conditions):
    """Values that are stretched by two have half the density, in every value that is."""
    field, centres, params = conditions
    set_centre(model, [0.0] * 4, [0.0] * 4)
    fields = draw(model, conditions, n_members=1, sampling=FEW).fields.values[:, 0]
    options = {"centres": centres, "n_steps": 8, "n_probes": 2}
    plain = model.log_likelihood(fields, field, params, **options).log_likelihood.values
    # a network that knows nothing has unit noise for its density: of r = x / 2, in closed form
    x = FieldTransform(model.card.normalisation).transform(
        torch.from_numpy(fields), prepared(model, field, params, centres)
    )
    set_centre(model, [0.0] * 4, [np.log(2.0), 0.0, 0.0, 0.0])
    wide = model.log_likelihood(fields, field, params, **options).log_likelihood.values
    square = x[:, 0].double().square().flatten(1).sum(1).numpy()
    volume = 16 * 16 * np.log(2.0)
    np.testing.assert_allclose(wide - plain, 0.5 * square * (1 - 1 / 4) - volume, rtol=1e-3)


def test_what_it_cannot_do_is_refused_with_a_remedy(model, conditions):
    for options, said in (
        ({"guidance_scale": 2.0}, r"guidance_scale is 2.*training\.objective: diffusion"),
        ({"start": "spectrum"}, r"start: spectrum.*leave start"),
    ):
        with pytest.raises(EmulatorError, match=said):
            draw(model, conditions, n_members=2, sampling=SamplingConfig(**options))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("sampling", "guidance_scale", 1.5),
        ("sampling", "start", "spectrum"),
        ("training", "parameter_head_weight", 0.01),
    ],
)
def test_a_config_that_asks_for_what_it_cannot_do_is_refused(section, key, value):
    raw = {**TINY, "training": TRAINING}
    raw[section] = {**raw.get(section, {}), key: value}
    with pytest.raises(ConfigError, match=rf"{section}\.{key}.*training\.objective to diffusion"):
        parse_config(raw)
    raw["training"] = {**raw["training"], "objective": "diffusion"}
    parse_config(raw)
