"""What the options of sampling do: solvers, starts, guidance, known pixels; and likelihoods."""

import math

import numpy as np
import pytest
import torch
from untrained import PARAMS, WINDOW, build_emulator

from emulator.config import DiffusionConfig, SamplingConfig
from emulator.data.condition import Condition
from emulator.diffusion.solvers import SOLVER_NAMES
from emulator.diffusion.spectrum import ModeStatistics, spectral_start
from emulator.diffusion.tables import ddpm_linear
from emulator.io import EmulatorError
from emulator.model.build import build_schedule
from emulator.sampling.ensemble import Emulator
from emulator.sampling.noise import MemberNoise, member_key
from emulator.sampling.samplers.steering import plan

CENTRES = [(8, 8), (40, 3)]
STATIC = {"gamma_end": -8.0, "n_steps": 6, "solver": "abm2"}  # exact where nothing moves


@pytest.fixture(scope="module")
def static(folder):
    """Model of data that are N(0, I) in normalised units: perfect, and known in every respect."""
    return build_emulator(folder, zero=True)


def draw(emulator, box, n_members=2, **options):
    arguments = {k: options.pop(k) for k in ("observed", "observation_noise") if k in options}
    sampling = SamplingConfig(**({"n_steps": 5} | options))
    return emulator.sample(
        box, PARAMS, centres=CENTRES, n_members=n_members, sampling=sampling, **arguments
    )


def normalised(emulator, drawn, fields=None):
    """Network channels of masses ``(sample, member, channel, y, x)``, and what is defined."""
    masses = torch.tensor(drawn.fields.values if fields is None else fields)
    condition = condition_of(drawn).repeat(masses.shape[1])
    x, defined = emulator.transform.observe(masses.flatten(0, 1), condition)
    return tuple(part.unflatten(0, masses.shape[:2]) for part in (x, defined))


def condition_of(drawn):
    names = ("condition", "large_scale", "params")
    return Condition(*(torch.tensor(drawn[name].values) for name in names))


@pytest.mark.parametrize("solver", SOLVER_NAMES)
def test_every_solver_draws_what_only_the_seed_decides(emulator, box, solver):
    first = draw(emulator, box, solver=solver).fields.values
    assert np.isfinite(first).all()
    again = draw(emulator, box, solver=solver, batch_size=1).fields.values
    np.testing.assert_allclose(again, first, rtol=2e-3)
    assert not np.allclose(first[:, 0], first[:, 1], rtol=0.01)


@pytest.mark.parametrize("spacing", ["gamma", "t", "karras", "logistic"])
def test_the_plan_is_what_the_options_say(spacing):
    diffusion = DiffusionConfig(schedule="ddpm_linear")
    options = SamplingConfig(solver="heun", n_steps=9, spacing=spacing, gamma_end=None)
    solver, gammas = plan(diffusion, build_schedule(diffusion), options)
    assert (len(gammas), solver.evaluations) == (5, 2)  # nine evaluations: four steps and the last
    table = ddpm_linear()  # its own ends, which lie inside those of the config
    assert gammas[0] == pytest.approx(float(table[-1]), abs=1e-4)
    assert gammas[-1] == pytest.approx(float(table[0]), abs=1e-4)
    given = options.model_copy(update={"gamma_start": 6.0, "gamma_end": -6.0})
    assert plan(diffusion, build_schedule(diffusion), given)[1][:: len(gammas) - 1] == [6.0, -6.0]


def test_a_learned_schedule_is_read_from_the_bundle(folder):
    diffusion = DiffusionConfig(schedule="learned_linear", weight="bound")
    learned = tuple(np.linspace(-11.0, 9.5, 33))
    emulator = build_emulator(folder, diffusion, schedule=learned)
    assert (emulator.sampler.schedule.gamma_min, emulator.sampler.schedule.gamma_max) == (
        -11.0,
        9.5,
    )


def test_spectral_start_is_used_as_stated(static, folder, box):
    """The static model returns its start: alpha_end times the draw of the marginal."""
    shells = torch.arange(12.0)
    power = 20 / (1 + shells)
    modes = ModeStatistics(power.expand(4, -1), 0.7 * power.expand(4, -1), torch.full((4, 12), 0.4))
    emulator = build_emulator(folder, zero=True, modes=modes.to_lists())
    options = STATIC | {"gamma_start": 2.0, "start": "spectrum"}
    drawn = draw(emulator, box, n_members=1, **options)
    seeds = [member_key([drawn.condition[i], drawn.large_scale[i]], 0, 0, 0) for i in range(2)]
    noise = MemberNoise(seeds, (4, WINDOW, WINDOW), torch.device("cpu"))()
    dmo = emulator.transform.encode(condition_of(drawn)).fields[:, 0]
    expected = spectral_start(noise, dmo, modes, 2.0)
    expected = expected / math.sqrt(1 + math.exp(-8.0))
    x, _ = normalised(emulator, drawn)
    smooth = slice(0, 2)  # dark matter and gas; below the floor of 1e8 single precision runs out
    positive = torch.tensor(drawn.fields.values[:, 0, smooth] > 1e8)
    torch.testing.assert_close(
        x[:, 0, smooth][positive], expected[:, smooth][positive], rtol=2e-3, atol=2e-3
    )
    with pytest.raises(EmulatorError, match="bundle holds the data's spectra"):
        draw(static, box, start="spectrum")


def test_members_go_through_known_pixels_and_vary_elsewhere(static, box):
    """N(0, I) given some of its values: those, to the noise; the others untouched."""
    options = STATIC | {"solver": "dpm++2m", "n_steps": 12, "gamma_end": -10.0}
    free = draw(static, box, n_members=3, **options)
    observed = free.fields.values[:, 0].copy()
    observed[..., : WINDOW // 2] = np.nan
    drawn = draw(static, box, n_members=3, observed=observed, observation_noise=0.02, **options)
    (x, _), (truth, _) = normalised(static, drawn), normalised(static, free)
    known = ~torch.isnan(torch.tensor(observed))[:, None]
    for channel, field in enumerate((0, 1)):
        inside = known[:, :, field].expand(-1, 3, -1, -1)
        gap = (x[:, :, channel] - truth[:, :1, channel])[inside]
        assert float(gap.std()) < 0.04
        outside = (x[:, :, channel] - truth[:, :, channel])[~inside]
        assert float(outside.abs().max()) < 0.02
    spread = drawn.fields.isel(channel=0).std("member").values
    assert spread[..., WINDOW // 2 :].mean() < 0.1 * spread[..., : WINDOW // 2].mean()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"observed": np.ones((1, 3, WINDOW, WINDOW))}, ["observed", "(2, 3, 16, 16)", "(1, 3,"]),
        ({"observed": -np.ones((2, 3, WINDOW, WINDOW))}, ["observed", ">= 0", "NaN where unknown"]),
        (
            {"observed": np.ones((2, 3, WINDOW, WINDOW)), "observation_noise": 0.0},
            ["observation_noise", "positive"],
        ),
        ({"guidance_scale": 2.0}, ["never trained without params", "diffusion.drop_params > 0"]),
        (
            {"guidance_scale": 2.0, "guidance_drops": ("context",)},
            ["never trained without context"],
        ),
    ],
)
def test_what_cannot_be_done_is_said(emulator, box, change, words):
    with pytest.raises(EmulatorError) as error:
        draw(emulator, box, **change)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"n_steps": 0}, {"solver": "dpm"}, {"guidance_drops": ()}, {"n_members": 1},
        {"guidance_interval": (3.0, -3.0)},
    ],
)  # fmt: skip
def test_impossible_options_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        SamplingConfig(**change)


@pytest.mark.parametrize("drops", [("params",), ("context",), ("params", "context")])
def test_guidance_changes_what_it_names(folder, box, drops):
    trained = build_emulator(folder, DiffusionConfig(drop_params=0.1, drop_context=0.1))
    plain = draw(trained, box).fields.values
    kept = draw(trained, box, guidance_scale=1.0, guidance_drops=drops).fields.values
    np.testing.assert_array_equal(kept, plain)
    guided = draw(trained, box, guidance_scale=3.0, guidance_drops=drops)
    change = np.abs(guided.fields.values - plain)[:, :, :2] / plain[:, :, :2].max()
    assert (change.max((0, 1, 3, 4)) > 1e-7).all()
    nowhere = draw(
        trained, box, guidance_scale=3.0, guidance_drops=drops, guidance_interval=(50.0, 60.0)
    )
    np.testing.assert_array_equal(nowhere.fields, plain)


def test_without_parameters_they_do_not_matter(folder, box):
    """Guidance of strength 0 draws from the network that does not see the parameters."""
    trained = build_emulator(folder, DiffusionConfig(drop_params=0.1))
    options = {"sampling": SamplingConfig(n_steps=5, guidance_scale=0.0), "n_members": 2}
    condition = draw(trained, box)
    seen = []
    for value in (0.0125, 0.02):
        fields = condition.isel(sample=[0])
        seeded = trained.sample(fields, PARAMS | {"A_SN1": value}, **options)
        seen.append(seeded)
    # the noise of a member depends on its parameters, so compare distributions over members
    first, second = (s.fields.isel(channel=0).mean().item() for s in seen)
    assert first == pytest.approx(second, rel=0.2)


def test_an_unknown_parameter_does_not_matter_to_a_model_trained_without(folder, box):
    """What the network sees of an unknown value is that it is unknown."""
    trained = build_emulator(folder, DiffusionConfig(drop_each_param=0.2))
    drawn = trained.sample(box, PARAMS | {"A_SN1": None}, centres=CENTRES, n_members=1)
    assert np.isfinite(drawn.fields).all()
    _, scaled, known = trained.transform.encode(condition_of(drawn))
    assert known[:, 0].tolist() == [1.0, 1.0]
    assert known[:, 1].tolist() == scaled[:, 1].tolist() == [0.0, 0.0]
    together = build_emulator(folder, DiffusionConfig(drop_params=0.2))
    with pytest.raises(EmulatorError, match="never trained without single parameters"):
        together.sample(box, PARAMS | {"A_SN1": None}, centres=CENTRES, n_members=1)


def test_a_network_that_breaks_names_sample_and_member(folder, box):
    broken = build_emulator(folder)
    with torch.no_grad():
        broken.network.out.bias[0] = float("nan")
    with pytest.raises(EmulatorError) as error:
        draw(broken, box)
    for word in ("NaN", "evaluation 0", "gamma 13", "sample 0 member 0", "sample 1 member 1"):
        assert word in str(error.value)


def test_log_likelihood_of_the_static_model_is_that_of_unit_gaussians(static, box):
    """With v = 0 the flow stands still: log N(alpha_0 x; 0, I) + D log alpha_0."""
    drawn = draw(static, box, n_members=1, **STATIC)
    fields = drawn.fields.values[:, 0]
    result = static.log_likelihood(fields, box, PARAMS, centres=CENTRES, n_steps=2, n_probes=2)
    x, _ = normalised(static, drawn)
    alpha = (1 + math.exp(-13.3)) ** -0.5
    dimension = x[0].numel()
    square = (alpha * x[:, 0].double()).square().flatten(1).sum(1)
    exact = -0.5 * (square + dimension * math.log(2 * math.pi)) + dimension * math.log(alpha)
    np.testing.assert_allclose(result.log_likelihood, exact, rtol=1e-5)
    assert result.log_likelihood.attrs["units"] == "nats"
    assert result.standard_error.values.max() < 1e-3


@pytest.mark.parametrize("option", ["noise", "masked"])
def test_the_noise_of_empty_pixels_is_divided_out_of_the_density(static, box, option):
    """What is left is the density of the amplitudes that there are, whatever the noise."""
    drawn = draw(static, box, n_members=1, **STATIC)
    x, defined = normalised(static, drawn)
    norm = static.card.normalisation
    stars = norm.channels[-1].model_copy(update={"empty_amplitude": option})
    norm = norm.model_copy(update={"channels": (*norm.channels[:-1], stars)})
    model = Emulator(
        static.card.model_copy(update={"normalisation": norm}), static.network, device="cpu"
    )
    fields, given = drawn.fields.values[:, 0], {"centres": CENTRES, "n_steps": 2, "n_probes": 2}
    found = [model.log_likelihood(fields, box, PARAMS, seed=seed, **given) for seed in (0, 1)]
    square, there = x[:, 0].double().square() * defined[:, 0], defined[:, 0].double()
    exact = -0.5 * (square + math.log(2 * math.pi) * there).flatten(1).sum(1)
    for result in found:
        np.testing.assert_allclose(result.log_likelihood, exact, rtol=1e-5)
    assert (there[:, 3] == 0).any()
    assert (found[0].log_likelihood != found[1].log_likelihood).all()


def test_log_likelihood_depends_on_parameters_and_refuses_other_shapes(emulator, box):
    fields = draw(emulator, box, n_members=1).fields.values[:, 0]

    def at(value):
        return emulator.log_likelihood(
            fields, box, PARAMS | {"A_SN1": value}, centres=CENTRES, n_steps=4, n_probes=2
        ).log_likelihood.values

    assert (np.abs(at(0.0125) - at(0.02)) > 1e-5).all()
    np.testing.assert_array_equal(at(0.0125), at(0.0125))
    with pytest.raises(EmulatorError, match=r"fields: expected shape \(2, 3, 16, 16\)"):
        emulator.log_likelihood(fields[:1], box, PARAMS, centres=CENTRES)
