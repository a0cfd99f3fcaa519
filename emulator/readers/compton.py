r"""Compton y: what hot electrons do to the light of the microwave background.

A line of sight through gas of electron density ``n_e`` and temperature ``T`` has

.. math::
    y = \frac{\sigma_T k_B}{m_e c^2} \int n_e T\, dl,

so that a particle adds the area :math:`Y_p` [Mpc^2] and a pixel of physical area ``A`` has
:math:`y = \sum_p Y_p / A`:

.. math::
    Y_p = \frac{\sigma_T k_B}{m_e c^2}\, N_e T, \qquad N_e = x_e X_H m / m_p,

with ``x_e`` electrons per hydrogen (``ElectronAbundance``), :math:`X_H = 0.76`, the mass ``m``
without h, and ``T`` as in :mod:`~emulator.readers.properties`; or the dataset
``ComptonYParameters`` (SWIFT: physical, in the square of its unit of length) where there is one.

References
----------
The interaction of matter and radiation in the hot model of the Universe (Zeldovich & Sunyaev 1969)
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emulator.io import DataError
from emulator.readers.properties import HYDROGEN, read_property

if TYPE_CHECKING:
    import h5py

_THOMSON_M2, _BOLTZMANN_J_K = 6.6524587e-29, 1.380649e-23
_ELECTRON_REST_J, _PROTON_KG = 8.1871058e-14, 1.67262192e-27
_MPC_M, _MSUN_KG = 3.0856776e22, 1.98841e30

AREA_PER_MASS_MPC2 = (
    _THOMSON_M2 * _BOLTZMANN_J_K / _ELECTRON_REST_J * _MSUN_KG / _PROTON_KG / _MPC_M**2
)
r"""Of a solar mass of hydrogen at 1 K with an electron each,
:math:`\sigma_T k_B M_\odot / (m_e c^2 m_p)` [Mpc^2]."""


def compton_areas(
    group: "h5py.Group",
    masses_msun: NDArray[np.float64],
    rows: slice,
    count: int,
    where: str,
    *,
    length_mpc: float,
) -> NDArray[np.float64]:
    """What some particles of gas add to the Compton y of their pixels, ``(particle,)`` [Mpc^2].

    Parameters
    ----------
    group, rows, count, where
        As :func:`~emulator.readers.properties.read_property`.
    masses_msun
        Of these particles, without 1/h.
    length_mpc
        Unit of length of the file, comoving, without 1/h.

    Raises
    ------
    DataError
        As :func:`~emulator.readers.properties.read_property`, and for values below zero.
    """
    if "ComptonYParameters" in group:
        name, unit = "ComptonYParameters", length_mpc**2
        areas = read_property(group, name, rows, count, where) * unit
    else:
        name = "ElectronAbundance"
        electrons = HYDROGEN * read_property(group, name, rows, count, where)
        kelvin = read_property(group, "temperature", rows, count, where)
        areas = AREA_PER_MASS_MPC2 * masses_msun * electrons * kelvin
    if areas.size and areas.min() < 0:
        raise DataError(f"{where}/{name}", "values that make y zero or more", "negative ones")
    return areas
