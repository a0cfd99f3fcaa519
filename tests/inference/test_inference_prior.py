"""Priors against closed forms."""

import numpy as np
import pytest
import torch
from scipy import integrate

from emulator.inference.prior import BoxPrior, build_prior
from emulator.io import EmulatorError
from emulator.model.normalisation import ParameterScale

PRIOR = BoxPrior(("a", "b"), (0.25, -1.0), (4.0, 3.0), (True, False))


class Table:
    """What a normalisation says of parameters."""

    params = {  # noqa: RUF012
        "a": ParameterScale(minimum=0.25, maximum=4.0, fiducial=1.0, log=True),
        "b": ParameterScale(minimum=-1.0, maximum=3.0, fiducial=0.0, log=False),
    }


def test_its_density_integrates_to_one_and_is_zero_outside():
    def density(b, a):
        return float(PRIOR.log_prob(torch.tensor([a, b])).exp())

    total, _ = integrate.dblquad(density, 0.25, 4.0, -1.0, 3.0)
    assert total == pytest.approx(1.0, rel=1e-5)
    outside = torch.tensor([[0.2, 0.0], [5.0, 0.0], [1.0, -1.1], [-1.0, 0.0]])
    assert (PRIOR.log_prob(outside) == -torch.inf).all()
    assert PRIOR.log_prob(torch.zeros(3, 5, 2) + 0.5).shape == (3, 5)


def test_moments_are_those_of_its_draws():
    torch.manual_seed(0)
    draws = PRIOR.sample((200000,))
    torch.testing.assert_close(draws.mean(0), PRIOR.mean, rtol=0.01, atol=0.01)
    torch.testing.assert_close(draws.var(0), PRIOR.variance, rtol=0.02, atol=0.0)
    assert PRIOR.mean[0] == pytest.approx(3.75 / np.log(16))
    assert PRIOR.support.check(draws).all()


def test_shares_are_cumulative_probabilities():
    theta = torch.tensor([[0.25, -1.0], [1.0, 1.0], [4.0, 3.0]])
    torch.testing.assert_close(
        PRIOR.share(theta), torch.tensor([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]), atol=2e-6, rtol=0.0
    )
    u = torch.rand(50, 2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(PRIOR.share(PRIOR.of_share(u)), u, rtol=1e-4, atol=1e-5)


def test_a_design_is_even_and_of_its_seed():
    points = PRIOR.design(256, 3)
    torch.testing.assert_close(points, PRIOR.design(256, 3))
    assert not torch.equal(points, PRIOR.design(256, 4))
    for column in PRIOR.share(points).T:
        counts = torch.histc(column, bins=16, min=0, max=1)
        assert (counts == 16).all()


def test_what_is_not_known_is_free_and_ranges_narrow_it():
    assert build_prior(Table, {}).names == ("a", "b")
    one = build_prior(Table, {"b": 0.0}, {"a": (0.5, 2.0)})
    assert (one.names, one.low.tolist(), one.high.tolist()) == (("a",), [0.5], [2.0])
    assert one.log.tolist() == [True]


@pytest.mark.parametrize(
    ("known", "ranges", "said"),
    [
        ({"c": 1.0}, None, r"conditioned on \['a', 'b'\], got \['c'\]"),
        ({}, {"c": (0, 1)}, r"got \['c'\]"),
        ({"a": 1.0}, {"a": (0.5, 1.0)}, r"\['a'\] are known"),
        ({"a": 1.0, "b": 0.0}, None, "nothing is left to infer"),
        ({}, {"a": (0.1, 1.0)}, r"a from 0.1 to 1 reaches beyond the trained range \[0.25, 4\]"),
        ({}, {"a": (1.0, 1.0)}, r"expected a low < high"),
    ],
)
def test_what_is_no_prior_is_refused(known, ranges, said):
    with pytest.raises(EmulatorError, match=said):
        build_prior(Table, known, ranges)
