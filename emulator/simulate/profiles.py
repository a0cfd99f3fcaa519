r"""The mean baryon content of a halo: fractions and radial profiles.

Symbols: ``M`` is M200c, ``x = r / R200c``. Gas is a *bound* part inside ``x = 1``, with a core, and
an *ejected* part with a Gaussian density,

.. math::
    \rho_b \propto (1 + c x)^{-1} (1 + x^2)^{-2}, \qquad
    \rho_e \propto \exp(-x^2 / 2 x_{ej}^2), \qquad
    f_b = [1 + (M_c / M)^{\beta}]^{-1}.

The forms follow published baryonification models; the numbers are those of this suite.

References
----------
A new method to quantify the effects of baryons on the matter power spectrum (Schneider & Teyssier
2015), https://arxiv.org/abs/1510.06034
Quantifying baryon effects on the matter power spectrum and the weak lensing shear correlation
(Schneider et al. 2019), https://arxiv.org/abs/1810.08629
Galactic star formation and accretion histories from matching galaxies to dark matter haloes
(Moster et al. 2013), equation 2, https://arxiv.org/abs/1205.5807
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from emulator.simulate.design import FIDUCIAL

Floats = NDArray[np.float64]

BOUND_MASS_MSUNH = 10.0**12.55
"""M_c of the fiducial point: a halo of this mass keeps half of its gas."""

BOUND_MASS_SLOPES = {
    "A_AGN1": 0.4, "A_AGN2": 1.6, "A_SN1": -2.0, "A_SN2": -1.2, "sigma_8": 0.8
}  # fmt: skip
STAR_SLOPES = {
    "A_AGN1": -0.03, "A_AGN2": -0.08, "A_SN1": -0.65, "A_SN2": -0.7, "Omega_m": -0.4, "sigma_8": 1.1
}  # fmt: skip
"""Slopes of ln M_c and of the logarithm of the stellar fraction with that of each parameter."""

BOUND_SLOPE = 0.6
STAR_PEAK_MSUNH, STAR_PEAK = 10.0**12.3, 0.16
STAR_RISE = 0.5
"""Slope of the stellar fraction far below its peak."""
EJECTION_RADIUS = 1.1
EDGE = 8.0
"""Radius beyond which no gas is put [R200c]."""

GRID = np.linspace(0.0, EDGE, 513)
"""Radii x at which profiles are tabulated."""


def bound_mass(params: Mapping[str, float]) -> float:
    """Characteristic mass M_c [Msun/h] above which halos keep their gas.

    AGN raise it. Supernovae lower it: they starve the black holes that would eject the gas.
    """
    return BOUND_MASS_MSUNH * _product(params, BOUND_MASS_SLOPES)


def bound_fraction(mass_msunh: float, bound_mass_msunh: float) -> float:
    """Fraction of a halo's gas that stays inside R200c."""
    fraction: float = 1.0 / (1.0 + (bound_mass_msunh / mass_msunh) ** BOUND_SLOPE)
    return fraction


def ejection_radius(params: Mapping[str, float]) -> float:
    """Scale x_ej of the ejected gas [R200c]."""
    radius: float = EJECTION_RADIUS * params["A_AGN1"] ** 0.2
    return radius


def stellar_fraction(mass_msunh: float, params: Mapping[str, float]) -> float:
    """Stars over all baryons of the halo, a double power law with a peak at 10^12.3 Msun/h."""
    ratio = mass_msunh / STAR_PEAK_MSUNH
    # Faster winds steepen the fall towards small halos.
    shape = 2.0 / (ratio ** -(STAR_RISE * params["A_SN2"] ** 0.25) + ratio**0.5)
    fraction: float = STAR_PEAK * shape * _product(params, STAR_SLOPES)
    return fraction


def _product(params: Mapping[str, float], slopes: Mapping[str, float]) -> float:
    """Product of powers of parameters over their fiducial values."""
    factors = [(params[name] / FIDUCIAL[name]) ** slope for name, slope in slopes.items()]
    return float(np.prod(factors))


def concentration(mass_msunh: float, redshift: float = 0.0) -> float:
    """Mean NFW concentration, as a power law (Duffy et al. 2008, table 1, M200c)."""
    mean: float = 5.71 * (mass_msunh / 2.0e12) ** -0.084 * (1.0 + redshift) ** -0.47
    return mean


def enclosed_gas(bound: float, concentration: float, ejection_radius: float) -> Floats:
    """Fraction of the gas inside each radius of :data:`GRID`; 1 at its end."""
    x = GRID
    inside = np.where(x <= 1.0, x**2 / ((1.0 + concentration * x) * (1.0 + x**2) ** 2), 0.0)
    outside = x**2 * np.exp(-0.5 * (x / ejection_radius) ** 2)
    return bound * _cumulative(inside) + (1.0 - bound) * _cumulative(outside)


def _cumulative(density: Floats) -> Floats:
    total = np.cumsum(density) - 0.5 * (density + density[0])
    share: Floats = total / total[-1]
    return share


def relax(enclosed_before: Floats, enclosed_after: Floats) -> Floats:
    r"""Factor by which shells of dark matter move when the enclosed mass changes.

    .. math:: r' / r = 1 + 0.3\,[(M / M')^2 - 1]

    kept within [0.8, 1.25], since the innermost shells hold a handful of particles.

    References
    ----------
    Schneider & Teyssier 2015, equation 2.16 (fit to simulations by Abadi et al. 2010)
    """
    ratio = enclosed_before / enclosed_after
    return np.clip(1.0 + 0.3 * (ratio**2 - 1.0), 0.8, 1.25)
