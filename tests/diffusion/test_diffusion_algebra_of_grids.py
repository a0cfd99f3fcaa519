"""Grids of gammas, and the weights of values on them, in closed form."""

import math

import numpy as np
import pytest

from emulator.config.solvers import GammaSpacing, KarrasSpacing, LogisticSpacing
from emulator.diffusion.solvers import build_spacing, gamma_grid
from emulator.diffusion.solvers.coefficients import polynomial_weights


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_weights_integrate_polynomials_down_the_axis_as_well(rate):
    """One value: a constant. Two: a line, over an interval that runs downwards."""
    (whole,) = polynomial_weights([5.0], 1.0, -0.5, rate)
    exact = -math.expm1(1.5) if rate else -1.5
    assert whole == pytest.approx(exact, rel=1e-12)
    first, second = polynomial_weights([1.0, 0.0], 1.0, -0.5, rate)
    assert first + second == pytest.approx(exact, rel=1e-12)
    # integral of u e^(u - b) is (u - 1) e^(u - b)
    line = (-0.5 - 1) - (1 - 1) * math.exp(1.5) if rate else (0.25 - 1) / 2
    assert first == pytest.approx(line, rel=1e-12)


@pytest.mark.parametrize(
    "section",
    [
        GammaSpacing(name="gamma"),
        KarrasSpacing(name="karras", rho=5.0),
        LogisticSpacing(name="logistic", centre=0.7),
    ],
)
def test_positions_are_inverted_by_gammas(section):
    spacing = build_spacing(section)
    gammas = np.array([-8.0, -1.0, 0.5, 9.0])
    expected = {
        "gamma": gammas,
        "karras": np.exp(gammas / 2) ** (1 / 5),
        "logistic": 1 / (1 + np.exp(-(gammas - 0.7) / 2)),
    }[section.name]
    np.testing.assert_allclose(spacing.positions(gammas), expected)
    np.testing.assert_allclose(spacing.gammas(np.array(expected)), gammas)


def test_a_plain_name_has_the_usual_numbers():
    assert build_spacing("karras").options == KarrasSpacing(name="karras", rho=7.0)
    assert build_spacing("logistic").options == LogisticSpacing(name="logistic", centre=0.0)


def test_grids_hold_their_ends_exactly():
    assert gamma_grid(3.0, -1.0, 1) == [3.0]
    assert gamma_grid(3.0, -1.0, 2, build_spacing("karras")) == [3.0, -1.0]
    assert gamma_grid(3.0, -1.0, 5) == pytest.approx([3.0, 2.0, 1.0, 0.0, -1.0])
    with pytest.raises(ValueError, match="gamma_end < gamma_start"):
        gamma_grid(1.0, 1.0, 3)
    grid = gamma_grid(12.345678901, -9.87654321, 7, build_spacing("karras"))
    assert (grid[0], grid[-1]) == (12.345678901, -9.87654321)
