r"""Background, linear power spectrum and growth of a flat universe with a constant Lambda.

Symbols: :math:`E(a) = H/H_0 = (\Omega_m a^{-3} + 1 - \Omega_m)^{1/2}`; :math:`D_1, D_2` the growth
factors of first and second order, normalised to :math:`D_1(1) = 1`; :math:`P(k)` the linear power
at z = 0. Radiation and massive neutrinos are left out, as in the N-body runs that use this.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp, trapezoid

from emulator.units import CRITICAL_DENSITY

CMB_TEMPERATURE_K = 2.7255
BARYON_OMEGA, HUBBLE_H, SPECTRAL_INDEX = 0.049, 0.6711, 0.9624


@dataclass(frozen=True)
class Cosmology:
    """Parameters of a flat LambdaCDM universe; the defaults are those of CAMELS."""

    omega_m: float
    sigma_8: float
    omega_b: float = BARYON_OMEGA
    hubble_h: float = HUBBLE_H
    spectral_index: float = SPECTRAL_INDEX

    @property
    def mean_density(self) -> float:
        """Comoving mean density of matter [Msun/h per (Mpc/h)^3]."""
        return self.omega_m * CRITICAL_DENSITY

    @property
    def baryon_fraction(self) -> float:
        """Omega_b / Omega_m."""
        return self.omega_b / self.omega_m

    def critical_density(self, redshift: float) -> float:
        """Critical density of that time in comoving volumes [Msun/h per (Mpc/h)^3]."""
        # at redshift 0 to the bit that of today
        return CRITICAL_DENSITY * (self.omega_m + (1.0 - self.omega_m) * (1.0 + redshift) ** -3)

    def expansion_rate(self, a: ArrayLike) -> NDArray[np.float64]:
        """E(a) = H(a) / H_0."""
        scale = np.asarray(a, dtype=float)
        return np.sqrt(self.omega_m * scale**-3 + 1.0 - self.omega_m)


def eisenstein_hu_transfer(k_hmpc: ArrayLike, cosmology: Cosmology) -> NDArray[np.float64]:
    r"""Transfer function of cold dark matter and baryons, with the acoustic oscillations.

    .. math:: T(k) = \frac{\Omega_b}{\Omega_m} T_b(k) + \frac{\Omega_c}{\Omega_m} T_c(k)

    Parameters
    ----------
    k_hmpc
        Wave numbers [h/Mpc], any shape, positive.
    cosmology
        Uses ``omega_m``, ``omega_b`` and ``hubble_h``.

    Returns
    -------
    T of the shape of ``k_hmpc``; T -> 1 for k -> 0.

    Notes
    -----
    A fit. With sigma_8 fixed, the power is within 2 % of CAMB at Omega_m = 0.3 and k > 0.25 h/Mpc,
    4 % below that; within 5 % between Omega_m = 0.2 and 0.5; and off by up to 9 % (k > 0.25) at
    Omega_m = 0.1, where half of the matter is baryons.

    References
    ----------
    Baryonic features in the matter transfer function (Eisenstein & Hu 1998), equations 2 to 24,
    https://arxiv.org/abs/astro-ph/9709112
    """
    k = np.asarray(k_hmpc, dtype=float) * cosmology.hubble_h
    omh2 = cosmology.omega_m * cosmology.hubble_h**2
    obh2 = cosmology.omega_b * cosmology.hubble_h**2
    f_baryon = obh2 / omh2
    f_cold = 1.0 - f_baryon
    theta = CMB_TEMPERATURE_K / 2.7

    z_eq = 2.5e4 * omh2 * theta**-4
    k_eq = 7.46e-2 * omh2 * theta**-2
    b1 = 0.313 * omh2**-0.419 * (1.0 + 0.607 * omh2**0.674)
    b2 = 0.238 * omh2**0.223
    z_drag = 1291.0 * omh2**0.251 / (1.0 + 0.659 * omh2**0.828) * (1.0 + b1 * obh2**b2)
    ratio_drag = 31.5 * obh2 * theta**-4 * 1e3 / z_drag
    ratio_eq = 31.5 * obh2 * theta**-4 * 1e3 / z_eq
    sound = (2.0 / (3.0 * k_eq)) * np.sqrt(6.0 / ratio_eq)
    sound *= np.log(
        (np.sqrt(1.0 + ratio_drag) + np.sqrt(ratio_drag + ratio_eq)) / (1.0 + np.sqrt(ratio_eq))
    )
    k_silk = 1.6 * obh2**0.52 * omh2**0.73 * (1.0 + (10.4 * omh2) ** -0.95)
    q, ks = k / (13.41 * k_eq), k * sound

    a1 = (46.9 * omh2) ** 0.670 * (1.0 + (32.1 * omh2) ** -0.532)
    a2 = (12.0 * omh2) ** 0.424 * (1.0 + (45.0 * omh2) ** -0.582)
    alpha_c = a1**-f_baryon * a2 ** -(f_baryon**3)
    c1 = 0.944 / (1.0 + (458.0 * omh2) ** -0.708)
    c2 = (0.395 * omh2) ** -0.0266
    beta_c = 1.0 / (1.0 + c1 * (f_cold**c2 - 1.0))
    blend = 1.0 / (1.0 + (ks / 5.4) ** 4)
    cold = blend * _pressureless(q, 1.0, beta_c) + (1.0 - blend) * _pressureless(q, alpha_c, beta_c)

    y = (1.0 + z_eq) / (1.0 + z_drag)
    root = np.sqrt(1.0 + y)
    growth = y * (-6.0 * root + (2.0 + 3.0 * y) * np.log((root + 1.0) / (root - 1.0)))
    alpha_b = 2.07 * k_eq * sound * (1.0 + ratio_drag) ** -0.75 * growth
    beta_b = 0.5 + f_baryon + (3.0 - 2.0 * f_baryon) * np.sqrt((17.2 * omh2) ** 2 + 1.0)
    node = 8.41 * omh2**0.435
    phase = ks / np.cbrt(1.0 + (node / ks) ** 3)
    baryon = _pressureless(q, 1.0, 1.0) / (1.0 + (ks / 5.2) ** 2)
    baryon += alpha_b / (1.0 + (beta_b / ks) ** 3) * np.exp(-((k / k_silk) ** 1.4))
    transfer: NDArray[np.float64] = f_baryon * baryon * np.sinc(phase / np.pi) + f_cold * cold
    return transfer


def _pressureless(q: NDArray[np.float64], alpha: float, beta: float) -> NDArray[np.float64]:
    """T_0 of Eisenstein & Hu 1998, equations 19 and 20."""
    log = np.log(np.e + 1.8 * beta * q)
    return log / (log + (14.2 / alpha + 386.0 / (1.0 + 69.9 * q**1.08)) * q**2)


class LinearPower:
    r"""Linear matter power at z = 0, :math:`P(k) = A k^{n_s} T(k)^2` [(Mpc/h)^3].

    ``A`` is set by ``sigma_8``: the standard deviation of the density in spheres of 8 Mpc/h.
    """

    def __init__(self, cosmology: Cosmology) -> None:
        self.cosmology = cosmology
        self.amplitude = 1.0
        self.amplitude = (cosmology.sigma_8 / self.sphere_deviation(8.0)) ** 2

    def __call__(self, k_hmpc: ArrayLike) -> NDArray[np.float64]:
        """P at wave numbers ``k_hmpc`` > 0 [h/Mpc]."""
        k = np.asarray(k_hmpc, dtype=float)
        transfer = eisenstein_hu_transfer(k, self.cosmology)
        return self.amplitude * k**self.cosmology.spectral_index * transfer**2

    def sphere_deviation(self, radius_mpch: float) -> float:
        r"""sigma(R) from :math:`\sigma^2 = \int d\ln k\, k^3 P(k) W^2(kR) / 2\pi^2`."""
        ln_k = np.linspace(np.log(1e-5), np.log(1e2), 8192)
        k = np.exp(ln_k)
        integrand = k**3 * self(k) * top_hat_window(k * radius_mpch) ** 2 / (2.0 * np.pi**2)
        return float(np.sqrt(trapezoid(integrand, ln_k)))


def top_hat_window(x: ArrayLike) -> NDArray[np.float64]:
    r"""Fourier transform of a sphere, :math:`3 (\sin x - x \cos x) / x^3`; 1 at x = 0."""
    x = np.asarray(x, dtype=float)
    small = np.abs(x) < 1e-2
    safe = np.where(small, 1.0, x)
    exact = 3.0 * (np.sin(safe) - safe * np.cos(safe)) / safe**3
    return np.where(small, 1.0 - x**2 / 10.0, exact)


class Growth:
    r"""Growth of first and second order from the ODEs in :math:`\ln a`.

    .. math::
        D_1'' + \left(2 + \frac{E'}{E}\right) D_1' = \tfrac32 \Omega_m(a) D_1, \qquad
        D_2'' + \left(2 + \frac{E'}{E}\right) D_2' = \tfrac32 \Omega_m(a) (D_2 - D_1^2)

    with primes :math:`d/d\ln a`. ``D_1(1) = 1``; ``D_2 = -3/7 D_1^2`` in a universe of matter only.

    Methods return, at scale factors between 1e-3 and 1, the factor itself and its momentum
    :math:`G_i = a^3 E\, dD_i/da`, the factor of :math:`p = a^2 \dot x / H_0`.

    References
    ----------
    FastPM (Feng et al. 2016), appendix A, https://arxiv.org/abs/1603.00476
    """

    def __init__(self, cosmology: Cosmology) -> None:
        self.cosmology = cosmology
        start, omega_m = np.log(1e-4), cosmology.omega_m

        def derivative(ln_a: float, y: NDArray[np.float64]) -> list[float]:
            matter = omega_m * np.exp(-3.0 * ln_a)
            fraction = matter / (matter + 1.0 - omega_m)
            friction, pull = 2.0 - 1.5 * fraction, 1.5 * fraction
            return [
                y[1],
                pull * y[0] - friction * y[1],
                y[3],
                pull * (y[2] - y[0] ** 2) - friction * y[3],
            ]

        d1 = np.exp(start)
        initial = [d1, d1, -3.0 / 7.0 * d1**2, -6.0 / 7.0 * d1**2]
        self._solution = solve_ivp(
            derivative, (start, 0.0), initial, method="DOP853", rtol=1e-9, atol=0, dense_output=True
        ).sol
        self._norm = float(self._solution(0.0)[0])

    def first(self, a: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``(D_1, G_1)`` at ``a``."""
        y = self._solution(np.log(a)) / self._norm
        return y[0], self._momentum(a, y[1])

    def second(self, a: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``(D_2, G_2)`` at ``a``."""
        y = self._solution(np.log(a)) / self._norm**2
        return y[2], self._momentum(a, y[3])

    def _momentum(self, a: ArrayLike, slope: NDArray[np.float64]) -> NDArray[np.float64]:
        # dD/dln a = a dD/da
        return np.asarray(a, dtype=float) ** 2 * self.cosmology.expansion_rate(a) * slope
