"""Linear theory against CAMB, astropy and closed forms."""

import numpy as np
import pytest
from scipy.integrate import quad

from emulator.simulate.cosmology import (
    Cosmology,
    Growth,
    LinearPower,
    eisenstein_hu_transfer,
    top_hat_window,
)


@pytest.mark.parametrize(
    ("omega_m", "sigma_8", "in_box", "overall"),
    [(0.3, 0.8, 0.03, 0.05), (0.2, 0.7, 0.05, 0.06), (0.5, 1.0, 0.05, 0.06)],
)
def test_power_agrees_with_camb(
    omega_m: float, sigma_8: float, in_box: float, overall: float
) -> None:
    camb = pytest.importorskip("camb")
    cosmology = Cosmology(omega_m, sigma_8)
    h2 = cosmology.hubble_h**2
    params = camb.set_params(
        H0=100 * cosmology.hubble_h,
        ombh2=cosmology.omega_b * h2,
        omch2=(omega_m - cosmology.omega_b) * h2,
        mnu=0.0,
        ns=cosmology.spectral_index,
        As=2e-9,
        redshifts=[0.0],
        kmax=20.0,
        WantTransfer=True,
    )
    results = camb.get_results(params)
    k, _, expected = results.get_matter_power_spectrum(minkh=1e-2, maxkh=10.0, npoints=200)
    expected = expected[0] * (sigma_8 / results.get_sigma8()[0]) ** 2
    error = np.abs(LinearPower(cosmology)(k) / expected - 1.0)
    # 0.25 h/Mpc is the longest wave of a box of 25 Mpc/h; below it the fit of the paper is worse.
    assert error[k > 0.25].max() < in_box
    assert error.max() < overall


def test_transfer_agrees_with_another_implementation() -> None:
    # From colossus 1.4.0, modelEisenstein98 with h = 0.6711, Omega_b = 0.049, T = 2.7255 K.
    k = [1e-3, 1e-2, 0.07, 0.3, 2.0, 20.0]
    expected = {
        0.1: [0.94931053, 0.45796889, 0.031263864, 0.0027202002, 0.00010135252, 1.5214822e-06],
        0.3: [0.99165282, 0.77094661, 0.19434406, 0.028393289, 0.0013720113, 2.371952e-05],
    }
    for omega_m, transfer in expected.items():
        found = eisenstein_hu_transfer(k, Cosmology(omega_m, 0.8))
        np.testing.assert_allclose(found, transfer, rtol=1e-6)


def test_top_hat_window_is_the_transform_of_a_sphere() -> None:
    for x in (1e-3, 0.02, 0.5, 3.0):
        expected = quad(lambda r, x=x: 3.0 * r**2 * np.sinc(x * r / np.pi), 0.0, 1.0)[0]
        assert top_hat_window(x) == pytest.approx(expected, rel=1e-8)


def test_expansion_agrees_with_astropy() -> None:
    from astropy.cosmology import FlatLambdaCDM

    reference = FlatLambdaCDM(H0=67.11, Om0=0.3, Tcmb0=0.0)
    a = np.array([0.05, 0.3, 1.0])
    np.testing.assert_allclose(Cosmology(0.3, 0.8).expansion_rate(a), reference.efunc(1 / a - 1))


def test_growth_without_lambda_is_the_scale_factor() -> None:
    growth = Growth(Cosmology(1.0, 0.8))
    a = np.array([0.02, 0.1, 0.5, 1.0])
    d1, g1 = growth.first(a)
    d2, g2 = growth.second(a)
    np.testing.assert_allclose(d1, a, rtol=1e-6)
    np.testing.assert_allclose(g1, a**1.5, rtol=1e-6)
    np.testing.assert_allclose(d2, -3.0 / 7.0 * a**2, rtol=1e-6)
    np.testing.assert_allclose(g2, -6.0 / 7.0 * a**2.5, rtol=1e-6)


def test_growth_with_lambda_agrees_with_its_integral() -> None:
    cosmology = Cosmology(0.3, 0.8)

    def integral(a: float) -> float:
        value = quad(lambda x: (x * cosmology.expansion_rate(x)) ** -3, 1e-8, a)[0]
        return float(cosmology.expansion_rate(a)) * value

    for a in (0.05, 0.4, 0.9):
        expected = integral(a) / integral(1.0)
        assert Growth(cosmology).first(a)[0] == pytest.approx(expected, rel=1e-5)
