r"""Initial conditions: nested white noise and second-order Lagrangian perturbation theory (2LPT).

.. math::
    x = q - D_1 \nabla\phi_1 + D_2 \nabla\phi_2, \qquad
    \nabla^2\phi_1 = \delta_{lin}, \qquad
    \nabla^2\phi_2 = \sum_{i<j} [\phi_{1,ii}\phi_{1,jj} - \phi_{1,ij}^2]

with ``q`` on a cubic lattice and ``delta_lin`` the linear density of today. Noise is *nested*: the
modes of a small lattice are modes of every larger one with the same seed, bit for bit. Modes on the
Nyquist planes are zero. Products in real space are not dealiased.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from emulator.simulate.cosmology import Growth, LinearPower

Modes = NDArray[np.complex128]


@dataclass(frozen=True)
class Displacements:
    """Fields on the lattice, ``(3, n, n, n)`` [Mpc/h]: ``-grad phi_1`` and ``grad phi_2``."""

    first: NDArray[np.float64]
    second: NDArray[np.float64]


def white_noise_modes(n: int, ic_seed: int) -> Modes:
    r"""Complex Gaussian modes with :math:`\langle |w|^2 \rangle = 1`, Hermitian, nested in ``n``.

    Modes are drawn by shells of :math:`\max(|i|, |j|, |l|)`, from the inside out, so that a larger
    lattice only appends to the sequence of a smaller one.

    Parameters
    ----------
    n
        Points a side, even.
    ic_seed
        Seed of the phases, ``SeedSequence([ic_seed])``.

    Returns
    -------
    Modes in the layout of ``rfftn``, ``(n, n, n/2 + 1)``; zero at k = 0 and on Nyquist planes.
    """
    side = np.arange(-(n // 2) + 1, n // 2)
    i, j, m = (axis.ravel() for axis in np.meshgrid(side, side, np.arange(n // 2), indexing="ij"))
    shell = np.maximum(np.maximum(np.abs(i), np.abs(j)), m)
    order = np.lexsort((m, j, i, shell))
    rng = np.random.default_rng(np.random.SeedSequence([ic_seed]))
    draws = rng.standard_normal((len(order), 2)) * np.sqrt(0.5)

    modes = np.zeros((n, n, n // 2 + 1), dtype=complex)
    modes[i[order], j[order], m[order]] = draws[:, 0] + 1j * draws[:, 1]
    # On the plane m = 0 a mode and its mirror image are conjugate: one of the two rules.
    plane = modes[:, :, 0]
    mirrored = np.conj(np.roll(plane[::-1, ::-1], 1, axis=(0, 1)))
    index = np.fft.fftfreq(n, 1.0 / n)
    follows = (index[:, None] < 0) | ((index[:, None] == 0) & (index[None, :] < 0))
    modes[:, :, 0] = np.where(follows, mirrored, plane)
    modes[0, 0, 0] = 0.0
    return modes


def wave_numbers(n: int, box_size_mpch: float) -> tuple[NDArray[np.floating], ...]:
    """Wave numbers [h/Mpc] of the three axes of ``rfftn``, shaped to broadcast."""
    unit = 2.0 * np.pi / box_size_mpch
    full = np.fft.fftfreq(n, 1.0 / n) * unit
    half = np.arange(n // 2 + 1) * unit
    return full[:, None, None], full[None, :, None], half[None, None, :]


def linear_density_modes(n: int, box_size_mpch: float, power: LinearPower, ic_seed: int) -> Modes:
    r"""Modes of the linear density today, normalised so that ``irfftn`` gives :math:`\delta(q)`.

    .. math:: \delta_k = w_k \sqrt{P(k) / L^3}\; n^3
    """
    kx, ky, kz = wave_numbers(n, box_size_mpch)
    k = np.sqrt(kx**2 + ky**2 + kz**2)
    k[0, 0, 0] = 1.0
    amplitude = np.sqrt(power(k) / box_size_mpch**3) * float(n) ** 3
    return white_noise_modes(n, ic_seed) * amplitude


def lagrangian_displacements(density: Modes, box_size_mpch: float) -> Displacements:
    """First- and second-order displacement fields of linear density modes.

    Parameters
    ----------
    density
        Modes of the linear density at the time of D_1 = 1, ``(n, n, n/2 + 1)``.
    box_size_mpch
        Side of the periodic box.

    Notes
    -----
    A single plane wave has no second order; two crossed waves have the closed form that tests use.

    References
    ----------
    Transients from initial conditions in cosmological simulations (Crocce et al. 2006), section 2,
    https://arxiv.org/abs/astro-ph/0606505
    """
    n = density.shape[0]
    k = wave_numbers(n, box_size_mpch)
    k2 = k[0] ** 2 + k[1] ** 2 + k[2] ** 2
    k2[0, 0, 0] = 1.0
    potential = -density / k2

    def second_derivative(a: int, b: int) -> NDArray[np.float64]:
        return _to_lattice(-k[a] * k[b] * potential, n)

    xx, yy, zz = (second_derivative(a, a) for a in range(3))
    source = xx * yy + xx * zz + yy * zz
    for a, b in ((0, 1), (0, 2), (1, 2)):
        source -= second_derivative(a, b) ** 2
    second = -scipy.fft.rfftn(source, workers=1) / k2
    return Displacements(
        first=np.stack([_to_lattice(-_gradient(k[a], potential), n) for a in range(3)]),
        second=np.stack([_to_lattice(_gradient(k[a], second), n) for a in range(3)]),
    )


def _gradient(k: NDArray[np.floating], modes: Modes) -> Modes:
    n = modes.shape[0]
    gradient = 1j * k * modes
    # A Nyquist mode has no sign, hence no derivative.
    gradient[n // 2], gradient[:, n // 2], gradient[:, :, n // 2] = 0.0, 0.0, 0.0
    return gradient


def _to_lattice(modes: Modes, n: int) -> NDArray[np.float64]:
    lattice: NDArray[np.float64] = scipy.fft.irfftn(modes, s=(n, n, n), workers=1)
    return lattice


def initial_particles(
    displacements: Displacements, box_size_mpch: float, a: float, growth: Growth
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    r"""Positions and momenta of particles on a displaced lattice.

    Returns
    -------
    positions
        ``(particle, 3)`` [Mpc/h], not wrapped; particle ``(i n + j) n + l`` starts at lattice point
        ``(i, j, l)``.
    momenta
        ``(particle, 3)``, :math:`p = a^2 \dot x / H_0` [Mpc/h].
    """
    n = displacements.first.shape[1]
    side = (np.arange(n) + 0.5) * (box_size_mpch / n)
    lattice = np.stack(np.meshgrid(side, side, side, indexing="ij"))
    (d1, g1), (d2, g2) = growth.first(a), growth.second(a)
    positions = lattice + d1 * displacements.first + d2 * displacements.second
    momenta = g1 * displacements.first + g2 * displacements.second
    return _as_particles(positions), _as_particles(momenta)


def _as_particles(field: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(field.reshape(3, -1).T, dtype=np.float32)
