"""The one-step ensemble: what its score is made of, how it trains, and what it draws."""

import csv
import json

import numpy as np
import pytest
import torch
from killed import killed_at
from tiny import SPLITS, TINY, normalise, run

import emulator
from emulator.config import SamplingConfig, parse_config
from emulator.config.section import ConfigError
from emulator.data.dataset import Batch
from emulator.data.maps import read_maps
from emulator.diffusion.solvers import NonFiniteError
from emulator.io import EmulatorError
from emulator.model.build import LENGTHS, build_network
from emulator.model.bundle import read_bundle
from emulator.model.field_transform import FieldTransform
from emulator.model.one_step import LOG_SCALES, draw_members, smooth
from emulator.model.windows import windows_for
from emulator.training.objectives.one_step import OneStepModule
from emulator.training.objectives.proper_score import almost_fair_crps

TRAINING = {**TINY["training"], "precision": "32", "objective": "one_step"}
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
    root = tmp_path_factory.mktemp("one_step")
    run(maps_dir, root, training=TRAINING)
    return root


def module_of(normalisation, **one_step):
    config = parse_config({**TINY, "training": TRAINING, "one_step": one_step})
    torch.manual_seed(0)
    network = build_network(config.model.network, config.diffusion, normalisation, "one_step")
    return OneStepModule(
        network, FieldTransform(normalisation), config.training, config.one_step,
        seed=0, pixel_mpch=0.2,
    )  # fmt: skip


# ------------------------------------------------------------------------------------ members


COPIES_OF = 1 + len(LENGTHS)


@pytest.mark.parametrize("shape", [(32, 32), (16, 24), (17, 17)])
@pytest.mark.parametrize("length", [0.0, 1.0, 2.0])
def test_smoothed_noise_has_unit_variance_and_its_length(shape, length):
    """Neighbours at distance r are correlated by exp(-r^2 / 4 l^2), up to the window's edge."""
    z = torch.randn((400, 2, *shape), generator=torch.Generator().manual_seed(0))
    smoothed = smooth(z, length)
    assert float(smoothed.var()) == pytest.approx(1.0, abs=0.03)
    for distance in (1, 2, 3):
        product = (smoothed * smoothed.roll(distance, -1)).mean()
        expected = np.exp(-(distance**2) / (4 * length**2)) if length else 0.0
        assert float(product) == pytest.approx(expected, abs=0.03)


def test_a_network_that_knows_nothing_draws_noise_of_unit_variance():
    """The mean of the noises of all lengths, in quadrature; the first noise is not in it."""
    z = torch.randn(40, COPIES_OF * 2, 16, 16, generator=torch.Generator().manual_seed(0))
    members = draw_members(lambda z, gamma: torch.zeros_like(z), z)
    parts = z.chunk(COPIES_OF, dim=1)[1:]
    expected = sum(smooth(p, length) for p, length in zip(parts, LENGTHS, strict=True))
    torch.testing.assert_close(members, expected / len(LENGTHS) ** 0.5)
    assert float(members.var()) == pytest.approx(1.0, abs=0.05)


def test_a_member_is_offset_plus_scaled_noise_at_the_noise_end():
    z, asked = torch.randn(3, COPIES_OF * 2, 4, 4), []

    def network(z, gamma):
        asked.append(gamma)
        scales = [torch.full((3, 2, 4, 4), np.log(2.0 + s)) for s in range(len(LENGTHS))]
        return torch.cat([torch.full((3, 2, 4, 4), 5.0), *scales], 1)

    parts = z.chunk(COPIES_OF, dim=1)[1:]
    noise = sum((2.0 + s) * smooth(part, LENGTHS[s]) for s, part in enumerate(parts))
    torch.testing.assert_close(draw_members(network, z), 5.0 + noise / len(LENGTHS) ** 0.5)
    assert (asked[0] == 13.0).all()
    wild = draw_members(lambda z, gamma: torch.full_like(z, 1e30), z) - 1e30
    assert torch.isfinite(wild).all()
    assert LOG_SCALES[0] < 0 < LOG_SCALES[1]


# -------------------------------------------------------------------------------------- score


def test_the_score_of_pixels_is_that_of_defined_pixels(normalisation, windows):
    """Brute force: amplitudes count in occupied pixels alone, over their expected number."""
    module, batch = module_of(normalisation, squares_weight=0, power_weight=0), windows[0]
    module.measure(windows)
    members = torch.randn(6, 4, 4, 16, 16)
    x, defined = module.field_transform.observe(batch.target, batch.condition)
    values = almost_fair_crps(members, x, 0.95)
    expected = torch.zeros(6)
    for channel, weight in enumerate((1.0, 1.0, 3.0, 3.0)):
        for row in range(6):
            there = defined[row, channel] > 0
            total = values[row, channel][there].sum() / 256 / module.defined[channel]
            expected[row] += weight / 8 * total
    torch.testing.assert_close(module.score(members, batch), expected, rtol=1e-5, atol=1e-5)
    assert module.defined[:3].tolist() == [1.0, 1.0, 1.0]
    assert 0.0 < module.defined[3] < 0.3


def test_a_tilt_weighs_pixels_by_the_root_of_their_mass(normalisation, windows):
    """Brute force, of pixels; and one on average over the training windows."""
    module = module_of(normalisation, squares_weight=0, power_weight=0, mass_tilt=0.5)
    module.measure(windows)
    batch, members = windows[0], torch.randn(6, 4, 4, 16, 16)
    floor = normalisation.condition_floor_msunh
    n_batches = -(-512 // 6)
    masses = torch.cat([windows[2**31 + i].condition.field for i in range(n_batches)])
    weights = (batch.condition.field + floor).sqrt() / (masses + floor).sqrt().mean()
    x, defined = module.field_transform.observe(batch.target, batch.condition)
    values = almost_fair_crps(members, x, 0.95) * weights[:, None] * defined
    shares = torch.tensor([1.0, 1.0, 3.0, 3.0]) / 2 / module.defined
    expected = (values.mean((2, 3)) * shares).mean(1)
    torch.testing.assert_close(module.score(members, batch), expected, rtol=1e-4, atol=1e-5)


def test_scores_add_up_with_their_weights(normalisation, windows):
    batch, members = windows[0], torch.randn(6, 4, 4, 16, 16)
    names = ("pixel_weight", "squares_weight", "power_weight")
    found = {}
    for weights in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 2, 3)):
        module = module_of(normalisation, **dict(zip(names, weights, strict=True)))
        module.measure(windows)
        found[weights] = module.score(members, batch)
    expected = 0.5 * found[1, 0, 0] + 2 * found[0, 1, 0] + 3 * found[0, 0, 1]
    torch.testing.assert_close(found[0.5, 2, 3], expected)


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_every_score_prefers_the_truth_to_what_is_wrong(normalisation, windows, weights):
    """Members that are the truth in every view score zero; shifted, or too wide, they do not."""
    names = ("pixel_weight", "squares_weight", "power_weight")
    module = module_of(normalisation, alpha=1.0, **dict(zip(names, weights, strict=True)))
    module.measure(windows)
    condition, target = windows[0]
    x, _ = module.normalise(windows[0])
    # without what is below the floor of the stars, which no member can draw
    batch = Batch(condition, module.field_transform.inverse_transform(x, condition))
    assert (batch.target[:, 2] < target[:, 2]).any()
    exact = x[:, None].repeat(1, 4, 1, 1, 1)
    assert module.score(exact, batch).abs().max() < 1e-4
    for wrong in (exact + 0.5, exact + torch.randn(exact.shape)):
        assert (module.score(wrong, batch) > 0.01).all()


def test_a_gradient_reaches_every_weight(normalisation, windows):
    """After the first step, which the output's zeros keep from the layers below."""
    module = module_of(normalisation)
    module.measure(windows)
    optimiser = torch.optim.SGD(module.network.parameters(), lr=0.1)
    for step in range(3):
        optimiser.zero_grad()
        batch = windows[step]
        noise = torch.randn(6, 4, COPIES_OF * 4, 16, 16)
        module.losses(batch, noise).mean().backward()
        optimiser.step()
    without = [
        n for n, p in module.network.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert without == []


# ----------------------------------------------------------------------------------- training


def rows_of(root):
    with (root / "model/history.csv").open() as handle:
        return list(csv.DictReader(handle))


def test_training_lowers_the_score_and_watches_ensembles(maps_dir, tmp_path):
    options = {"max_steps": 60, "checkpoint_steps": 20, "ensemble_every": 2, "ema_decay": 0.8}
    run(maps_dir, tmp_path, training={**TRAINING, **options})
    rows = rows_of(tmp_path)
    losses = [float(row["val_loss"]) for row in rows]
    assert losses[-1] < losses[0]
    watched = [bool(row["val_spread_skill_gas"]) for row in rows]
    assert watched == [False, True, False]


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


def test_the_section_of_the_diffusion_does_not_matter(maps_dir, trained, tmp_path):
    run(maps_dir, tmp_path, training=TRAINING, diffusion={"prediction": "eps", "gamma_max": 9.0})
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


def test_members_do_not_depend_on_batches_and_say_how_they_were_drawn(model, conditions):
    whole = draw(model, conditions, n_members=4)
    parts = [draw(model, conditions, n_members=2, first_member=k) for k in (0, 2)]
    joined = np.concatenate([part.fields.values for part in parts], axis=1)
    np.testing.assert_allclose(whole.fields.values, joined, rtol=1e-4)
    small = draw(model, conditions, n_members=4, sampling=SamplingConfig(batch_size=3))
    np.testing.assert_allclose(whole.fields.values, small.fields.values, rtol=1e-4)
    assert (whole.attrs["solver"], whole.attrs["n_steps"]) == ("one_step", 1)
    spread = whole.fields.std("member").mean(("sample", "y", "x"))
    assert (spread > 0).all()


def test_it_is_the_averaged_network_in_one_pass(trained, model, conditions):
    """By hand: the noise of a member through the network of the bundle."""
    card, network = read_bundle(trained / "model")
    calls = []
    hook = model.network.register_forward_hook(lambda *_: calls.append(1))
    drawn = draw(model, conditions, n_members=2)
    hook.remove()
    assert len(calls) == 1
    assert card.facts.objective == "one_step"
    assert network.out.weight.shape[0] == COPIES_OF * 4
    assert np.isfinite(drawn.fields.values).all()


def test_what_it_cannot_do_is_refused_with_a_remedy(model, conditions):
    drawn = draw(model, conditions, n_members=2)
    field, centres, params = conditions
    fields = drawn.fields.values[:, 0]
    with pytest.raises(EmulatorError, match=r"guidance_scale is 2.*training\.objective: diffusion"):
        draw(model, conditions, n_members=2, sampling=SamplingConfig(guidance_scale=2.0))
    with pytest.raises(EmulatorError, match=r"observed: .*training\.objective: diffusion"):
        draw(model, conditions, n_members=2, observed=fields)
    with pytest.raises(EmulatorError, match=r"no likelihood.*training\.objective: diffusion"):
        model.log_likelihood(fields, field, params, centres=centres)


def test_a_network_that_breaks_is_named_with_sample_and_member(model, conditions):
    with torch.no_grad():
        model.network.out.bias.fill_(float("nan"))
    with pytest.raises(EmulatorError, match=r"NaN or infinity.*sample 0 member 0") as error:
        draw(model, conditions, n_members=2)
    assert isinstance(error.value.__cause__, NonFiniteError)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("sampling", "solver", "auto"),
        ("sampling", "guidance_scale", 1.5),
        ("diffusion", "drop_params", 0.1),
        ("diffusion", "drop_each_param", 0.1),
        ("diffusion", "drop_context", 0.1),
        ("training", "parameter_head_weight", 0.01),
    ],
)
def test_a_config_that_asks_for_what_it_cannot_do_is_refused(section, key, value):
    raw = {**TINY, "training": TRAINING}
    raw[section] = {**raw.get(section, {}), key: value}
    with pytest.raises(ConfigError, match=rf"{section}\.{key}.*set training\.objective"):
        parse_config(raw)
    raw["training"] = {**raw["training"], "objective": "diffusion"}
    parse_config(raw)


def test_nothing_scored_is_refused():
    weights = {"pixel_weight": 0, "squares_weight": 0, "power_weight": 0}
    with pytest.raises(ConfigError, match="cannot all be zero"):
        parse_config({**TINY, "one_step": weights})


def test_the_card_says_what_was_trained(trained):
    card = json.loads((trained / "model/model.json").read_text())
    assert card["training"]["objective"] == "one_step"
