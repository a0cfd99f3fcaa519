"""Gradients of members: those of finite differences, for every family and every kind of input."""

import numpy as np
import pytest
import torch
from untrained import PARAMS, build_emulator

from emulator.config import ConsistencyConfig, DiffusionConfig, SamplingConfig
from emulator.io import EmulatorError
from emulator.sampling.differentiable import checkpointed
from emulator.sampling.ensemble import Emulator
from emulator.sampling.inputs import prepare_condition
from emulator.sampling.mixture import Mixture

CENTRES = [(8, 8), (40, 3)]
COMMON = {"noise_of": ["a", "b"], "n_members": 2, "sampling": SamplingConfig(n_steps=3)}
STEP = 1e-5
GUIDED = {"sampling": SamplingConfig(n_steps=3, guidance_scale=2.0)}
NOISY = {"sampling": SamplingConfig(n_steps=3, solver="sde-dpm++2m")}


def in_float64(model):
    model.network.double()
    return model


@pytest.fixture(scope="module")
def model(folder):
    return in_float64(build_emulator(folder, DiffusionConfig(drop_params=0.1)))


def weighted(fields):
    """A number that every pixel moves: logarithms, each with a weight of its own."""
    weights = torch.linspace(0.5, 1.5, fields.numel(), dtype=fields.dtype).reshape(fields.shape)
    return ((fields + 1e9).log() * weights).sum()


def require_gradient(function, value):
    """Of one direction in the space of ``value``, by central differences."""
    value = value.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(function(value), value)
    direction = value.detach() * torch.linspace(-1, 1, value.numel()).reshape(value.shape)
    ends = [float(function(value.detach() + sign * STEP * direction)) for sign in (1, -1)]
    expected = (ends[0] - ends[1]) / (2 * STEP)
    assert float((gradient * direction).sum()) == pytest.approx(expected, rel=2e-4)
    assert abs(expected) > 1e-3


def box_of(box):
    return torch.from_numpy(np.array(box, np.float64))


def tensors(model, condition, params, **options):
    options = {"centres": CENTRES} | COMMON | options
    return model.sample(condition, params, differentiable=True, **options)


@pytest.mark.parametrize("options", [{}, GUIDED, NOISY])
def test_gradients_of_parameters(model, box, options):
    def of(values):
        return weighted(tensors(model, box, values, **options))

    require_gradient(of, torch.tensor([0.3, 0.3], dtype=torch.float64))


def test_parameters_may_be_tensors_of_a_mapping_or_of_rows(model, box):
    both = torch.tensor([0.3, 0.3], dtype=torch.float64, requires_grad=True)
    (whole,) = torch.autograd.grad(weighted(tensors(model, box, both)), both)
    one = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    (alone,) = torch.autograd.grad(
        weighted(tensors(model, box, {"Omega_m": 0.3, "A_SN1": one})), one
    )
    assert float(alone) == pytest.approx(float(whole[1]), rel=1e-9)
    rows = [{"Omega_m": 0.3, "A_SN1": one}, {"Omega_m": 0.3, "A_SN1": 0.3}]
    (first,) = torch.autograd.grad(weighted(tensors(model, box, rows)), one)
    assert float(first) != pytest.approx(float(alone), rel=1e-3)


def test_gradients_of_a_box_reach_windows_and_context(model, box):
    def of(values):
        return weighted(tensors(model, values, PARAMS))

    require_gradient(of, box_of(box))


def test_gradients_of_windows(model, box):
    plain = tensors(model, box_of(box), PARAMS)
    given = cut(model, box)

    def of_windows(values):
        return weighted(tensors(model, values, PARAMS, centres=None, large_scale=given[1].double()))

    def of_context(values):
        return weighted(tensors(model, given[0], PARAMS, centres=None, large_scale=values))

    assert float(of_windows(given[0].double())) == pytest.approx(float(weighted(plain)), rel=1e-6)
    require_gradient(of_windows, given[0].double())
    require_gradient(of_context, given[1].double())


def cut(model, box):
    card = model.card
    return prepare_condition(box, PARAMS, card.normalisation, card.grid, centres=CENTRES)[:2]


def of_family(folder, objective):
    if objective != "consistency":
        return in_float64(build_emulator(folder, objective=objective))
    plain = build_emulator(folder)
    facts = {"objective": objective, "consistency": ConsistencyConfig().model_dump()}
    card = plain.card.model_copy(update={"training": plain.card.training | facts})
    return in_float64(Emulator(card, plain.network, device="cpu"))


@pytest.mark.parametrize("objective", ["one_step", "residual", "consistency"])
def test_every_family_has_gradients(folder, box, objective):
    model = of_family(folder, objective)

    def of(values):
        return weighted(tensors(model, box, values, sampling=SamplingConfig(n_steps=3)))

    require_gradient(of, torch.tensor([0.3, 0.3], dtype=torch.float64))


def test_values_are_those_of_the_members(folder, box):
    models = {str(seed): build_emulator(folder, seed=seed) for seed in (0, 1)}
    for model in (models["0"], Mixture(models)):
        options = COMMON | {"centres": CENTRES, "n_members": 3, "first_member": 1, "seed": 5}
        expected = model.sample(box, PARAMS, **options)
        found = model.sample(box, PARAMS, differentiable=True, **options)
        assert not found.requires_grad
        np.testing.assert_allclose(found.numpy(), expected["fields"], rtol=1e-4)


def test_activations_are_computed_again_and_not_kept():
    """Of a chain of evaluations, the peak of saved bytes does not grow with the network's width."""
    saved = []

    def pack(tensor):
        saved.append(tensor.numel())
        return tensor

    def network(z):
        wide = z.repeat(1, 64).sin().cos().sin()
        return wide.reshape(len(z), 64, -1).mean(1)

    def bytes_of(evaluate):
        saved.clear()
        z = torch.ones(2, 8, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            for _ in range(4):
                z = evaluate(z)
        return sum(saved)

    assert bytes_of(checkpointed(network)) * 20 < bytes_of(network)


def test_known_values_have_no_gradients(model, box):
    with pytest.raises(EmulatorError, match=r"observed: .*no gradients"):
        tensors(model, box, PARAMS, observed=np.full((2, 3, 16, 16), np.nan))


def test_a_tensor_is_checked_as_an_array_is(model, box):
    with pytest.raises(EmulatorError, match="zero or more"):
        tensors(model, -box_of(box).requires_grad_(), PARAMS)
    with pytest.raises(EmulatorError, match=r"A_SN1 = 1.7 outside"):
        tensors(model, box, torch.tensor([0.3, 1.7], requires_grad=True))
