"""The score of an ensemble against an independent library, and what its minimum is."""

import numpy as np
import pytest
import scoringrules
import torch

from emulator.training.objectives.proper_score import almost_fair_crps


def ensemble(n_members, shape=(5, 3), seed=0):
    generator = torch.Generator().manual_seed(seed)
    members = torch.randn(
        (shape[0], n_members, *shape[1:]), generator=generator, dtype=torch.float64
    )
    return members, torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("n_members", [2, 3, 8])
@pytest.mark.parametrize(("alpha", "estimator"), [(1.0, "fair"), (0.0, "nrg")])
def test_both_ends_are_known_estimators(n_members, alpha, estimator):
    members, truth = ensemble(n_members)
    expected = scoringrules.crps_ensemble(
        truth.numpy(), members.numpy(), m_axis=1, estimator=estimator
    )
    assert almost_fair_crps(members, truth, alpha).numpy() == pytest.approx(expected, rel=1e-12)


def test_between_the_ends_it_is_linear():
    members, truth = ensemble(4)
    ends = [almost_fair_crps(members, truth, alpha) for alpha in (0.0, 1.0)]
    torch.testing.assert_close(
        almost_fair_crps(members, truth, 0.95), 0.05 * ends[0] + 0.95 * ends[1]
    )


def test_its_expectation_is_that_of_a_normal_law():
    """E|X - Y| - E|X - X'| / 2 of unit normals is 1 / sqrt(pi), whatever the number of members."""
    for n_members in (2, 5):
        members, truth = ensemble(n_members, shape=(200_000, 1))
        score = almost_fair_crps(members, truth, 1.0)
        error = 4 * float(score.std()) / len(score) ** 0.5
        assert float(score.mean()) == pytest.approx(np.pi**-0.5, abs=error)


@pytest.mark.parametrize(("alpha", "spread"), [(1.0, 1.0), (0.95, 0.952)])
def test_its_minimum_is_the_spread_of_the_truth(alpha, spread):
    """Of two members ``s z`` of a unit normal truth: s = 1 if fair, a little less if almost.

    E|s z - y| = sqrt(2 (1 + s^2) / pi) and E|s z - s z'| = 2 s / sqrt(pi), so the minimum of
    sqrt(2 (1 + s^2)) - a s, a = (1 + alpha) / 2, is at s = a / sqrt(2 - a^2).
    """
    members, truth = ensemble(2, shape=(200_000, 1))
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    for _ in range(60):
        score = almost_fair_crps(scale * members, truth, alpha).mean()
        (slope,) = torch.autograd.grad(score, scale)
        scale = (scale - slope).detach().requires_grad_()
    a = (1 + alpha) / 2
    assert a / (2 - a * a) ** 0.5 == pytest.approx(spread, abs=0.001)
    assert scale.item() == pytest.approx(spread, abs=0.01)


def test_the_fair_score_of_two_members_leaves_one_of_them_free():
    """Why it is only almost fair: beyond the other member, one may go anywhere for nothing."""
    truth = torch.zeros(1, 1)
    near, far = (torch.tensor([[[0.0], [place]]]) for place in (1.0, 100.0))
    fair = [float(almost_fair_crps(members, truth, 1.0)) for members in (near, far)]
    almost = [float(almost_fair_crps(members, truth, 0.95)) for members in (near, far)]
    assert fair == [0.0, 0.0]
    assert almost[1] > 90 * almost[0] > 0
