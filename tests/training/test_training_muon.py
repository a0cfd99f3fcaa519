"""Muon: orthogonal steps for matrices, AdamW's for all else; which is which in a network."""

import pytest
import torch
from killed import killed_at
from tiny import TINY, normalise, run

from emulator.config import parse_config
from emulator.model.build import build_network
from emulator.training.muon import RMS, Muon, orthogonalise
from emulator.training.optimiser import build_optimiser

TRAINING = {**TINY["training"], "precision": "32", "optimiser": "muon"}


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8)])
def test_directions_stay_and_sizes_become_about_one(shape):
    """Against an exact decomposition, of a matrix with singular values over two decades."""
    generator = torch.Generator().manual_seed(0)
    u, _, vh = torch.linalg.svd(
        torch.randn(shape, generator=generator).double(), full_matrices=False
    )
    sizes = torch.logspace(0, -1.5, len(vh)).double() * 7.0
    near = orthogonalise((u * sizes) @ vh)
    found = u.T @ near @ vh.T
    assert float((found - torch.diag(found.diag())).abs().max()) < 1e-9
    assert float(found.diag().min()) > 0.6
    assert float(found.diag().max()) < 1.25
    again = orthogonalise(1e-3 * (u * sizes) @ vh)
    torch.testing.assert_close(again, near, rtol=1e-3, atol=1e-3)


def test_a_step_has_the_size_of_one_of_adamw_in_every_direction():
    """Of a convolution: root mean square 0.2 of the rate, whatever the gradient."""
    weight = torch.nn.Parameter(torch.zeros(16, 8, 3, 3))
    optimiser = Muon([{"params": [weight], "orthogonal": True}], lr=0.1)
    torch.manual_seed(0)
    weight.grad = torch.randn(16, 8, 3, 3) * 1e-4
    optimiser.step()
    assert float(weight.detach().square().mean().sqrt()) == pytest.approx(0.1 * RMS, rel=0.25)
    values = torch.linalg.svdvals(weight.detach().flatten(1))
    assert float(values.max() / values.min()) < 2.0


def test_half_precision_is_the_same_step_to_a_few_per_cent():
    torch.manual_seed(0)
    gradient, steps = torch.randn(16, 8, 3, 3), []
    for dtype in (torch.float32, torch.bfloat16):
        weight = torch.nn.Parameter(torch.zeros(16, 8, 3, 3))
        optimiser = Muon([{"params": [weight], "orthogonal": True}], lr=0.1, dtype=dtype)
        weight.grad = gradient
        optimiser.step()
        assert weight.dtype == torch.float32
        steps.append(weight.detach().flatten())
    cosine = torch.nn.functional.cosine_similarity(*steps, dim=0)
    assert 0.999 < float(cosine) < 1.0
    assert float(steps[1].norm() / steps[0].norm()) == pytest.approx(1.0, abs=0.02)


def test_the_momentum_is_that_of_nesterov(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "emulator.training.muon.orthogonalise", lambda m: seen.append(m.clone()) or m
    )
    weight = torch.nn.Parameter(torch.zeros(2, 2))
    optimiser = Muon([{"params": [weight], "orthogonal": True}], lr=0.0)
    momentum = torch.zeros(2, 2)
    for scale in (1.0, -2.0, 0.5):
        weight.grad = scale * torch.eye(2)
        momentum = 0.95 * momentum + weight.grad
        optimiser.step()
        torch.testing.assert_close(seen[-1], weight.grad + 0.95 * momentum)


def test_all_else_takes_the_steps_of_adamw():
    torch.manual_seed(0)
    start = torch.randn(7, 3)
    mine, other = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimisers = [
        Muon([{"params": [mine], "weight_decay": 0.1}], lr=0.01),
        torch.optim.AdamW([other], lr=0.01, weight_decay=0.1),
    ]
    for step in range(20):
        gradient = torch.randn(7, 3, generator=torch.Generator().manual_seed(step))
        mine.grad, other.grad = gradient.clone(), gradient.clone()
        for optimiser in optimisers:
            optimiser.step()
    torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_matrices_decay_and_what_has_no_gradient_stays():
    weights = [torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2)]
    group = {"params": weights, "orthogonal": True, "weight_decay": 0.5}
    optimiser = Muon([group], lr=0.1)
    weights[0].grad = torch.zeros(2, 2)
    assert optimiser.step(lambda: 3.0) == 3.0
    torch.testing.assert_close(weights[0].detach(), torch.full((2, 2), 0.95))
    assert torch.equal(weights[1].detach(), torch.ones(2, 2))


@pytest.mark.parametrize("kind", ["unet", "dit"])
def test_ends_and_vectors_of_a_network_are_left_to_adamw(maps_dir, kind):
    network_config = {"kind": kind} if kind == "dit" else TINY["model"]["network"]
    raw = {**TINY, "training": TRAINING, "model": {**TINY["model"], "network": network_config}}
    config = parse_config(raw)
    network = build_network(config.model.network, config.diffusion, normalise(maps_dir, raw))
    other = torch.nn.Parameter(torch.zeros(3))
    optimiser = build_optimiser(network, [other], config.training)["optimizer"]
    inner, ends, rest = optimiser.param_groups
    names = {id(p): name for name, p in network.named_parameters()}
    assert {names[id(p)] for p in ends["params"]} == {"stem.weight", "out.weight"}
    assert all(p.ndim >= 2 for p in inner["params"])
    assert [g["orthogonal"] for g in (inner, ends, rest)] == [True, False, False]
    assert [g["weight_decay"] for g in (inner, ends, rest)] == [0.01, 0.01, 0.0]
    assert any(p is other for p in rest["params"])
    count = sum(len(group["params"]) for group in optimiser.param_groups)
    assert count == len(names) + 1


def test_an_interrupted_run_ends_with_the_same_weights(maps_dir, tmp_path, monkeypatch):
    """Momenta are in the state, and all weights have moved."""
    whole = run(maps_dir, tmp_path / "a", training=TRAINING)
    with (
        killed_at(monkeypatch, 5, RuntimeError("killed")),
        pytest.raises(RuntimeError, match="killed"),
    ):
        run(maps_dir, tmp_path / "b", training=TRAINING)
    resumed = run(maps_dir, tmp_path / "b", training=TRAINING)
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
