r"""What surrounds a halo: the particles it owns, and the large-scale overdensity about it.

Both depend on the dark-matter-only run alone, so the hydro outcomes of a run share them
(:class:`DarkMatterRun`).
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from emulator.simulate.cosmology import top_hat_window
from emulator.simulate.halos import HaloTable
from emulator.simulate.lpt import wave_numbers
from emulator.simulate.particle_mesh import deposit

SHELL_MPCH = (3.0, 6.0)
"""Inner and outer radius of the shell whose overdensity is the environment of a halo."""


@dataclass(frozen=True)
class Members:
    """Particles of each halo, nearest first; no particle belongs to two halos.

    Halo ``h`` owns ``particles[starts[h]:starts[h + 1]]``; ``offsets`` ``(member, 3)`` are relative
    to its centre [Mpc/h], ``radii`` their lengths.
    """

    particles: NDArray[np.int64]
    starts: NDArray[np.int64]
    offsets: NDArray[np.float64]
    radii: NDArray[np.float64]

    def of(self, halo: int) -> slice:
        """Slice of the member arrays that belongs to ``halo``."""
        return slice(int(self.starts[halo]), int(self.starts[halo + 1]))


@dataclass(frozen=True)
class DarkMatterRun:
    """A dark-matter-only run as its hydro outcomes see it.

    ``positions`` ``(particle, 3)`` [Mpc/h], mass of each particle [Msun/h], halos, the particles
    that they own, and the overdensity around them ``(halo,)``; ``box_size_mpch`` [Mpc/h]; lengths
    are comoving, also at another ``redshift`` than 0.
    """

    box_size_mpch: float
    positions: NDArray[np.float64]
    particle_mass_msunh: float
    halos: HaloTable
    members: Members
    shell_overdensity: NDArray[np.float64]
    redshift: float = 0.0

    @property
    def free(self) -> NDArray[np.bool_]:
        """Which particles no halo owns, ``(particle,)``."""
        free = np.ones(len(self.positions), dtype=bool)
        free[self.members.particles] = False
        return free


def survey(
    tree: cKDTree, particle_mass_msunh: float, halos: HaloTable, redshift: float = 0.0
) -> DarkMatterRun:
    """Find out, once a run, all that its hydro outcomes share."""
    positions, box = np.asarray(tree.data), float(tree.boxsize[0])
    return DarkMatterRun(
        box,
        positions,
        particle_mass_msunh,
        halos,
        assign_members(tree, halos),
        shell_overdensity(positions, halos.positions, box),
        redshift,
    )


def assign_members(tree: cKDTree, halos: HaloTable) -> Members:
    r"""Give each particle inside some R200c to the halo with the smallest :math:`r / R_{200c}`.

    Spheres overlap; owning each particle once keeps displacements from adding up. Ties go to the
    earlier (larger) halo.
    """
    positions, box = np.asarray(tree.data), float(tree.boxsize[0])
    found = tree.query_ball_point(halos.positions, halos.r200c)
    counts = np.array([len(near) for near in found], dtype=np.int64)
    halo = np.repeat(np.arange(len(counts)), counts)
    particle = np.array([p for near in found for p in near], dtype=np.int64)
    offset = positions[particle] - halos.positions[halo]
    offset -= box * np.round(offset / box)
    radius = np.sqrt(np.einsum("ij,ij->i", offset, offset))

    claims = np.lexsort((halo, radius / halos.r200c[halo], particle))
    _, best = np.unique(particle[claims], return_index=True)
    owned = claims[best]
    owned = owned[np.lexsort((particle[owned], radius[owned], halo[owned]))]
    starts = np.searchsorted(halo[owned], np.arange(len(counts) + 1))
    return Members(particle[owned], starts, offset[owned], radius[owned])


def shell_overdensity(
    positions: NDArray[np.float64], centres: NDArray[np.float64], box_size_mpch: float
) -> NDArray[np.float64]:
    r"""Overdensity of matter in a shell about each centre, without what lies inside the shell.

    .. math:: \delta_R = \frac{R_2^3\,\delta(<R_2) - R_1^3\,\delta(<R_1)}{R_2^3 - R_1^3}

    Parameters
    ----------
    positions
        ``(particle, 3)`` [Mpc/h], equal masses.
    centres
        ``(halo, 3)`` [Mpc/h].

    Returns
    -------
    ``(halo,)``, with radii :data:`SHELL_MPCH`. Spheres are smoothed by a mesh of cells of a
    sixteenth of R_2 or less.
    """
    inner, outer = SHELL_MPCH
    n = scipy.fft.next_fast_len(2 * int(np.ceil(8.0 * box_size_mpch / outer)), real=True)
    n += n % 2
    mesh = np.zeros((n, n, n), dtype=np.float32)
    scale = np.float32(n / box_size_mpch)
    deposit(positions.astype(np.float32), scale, mesh)
    mesh *= mesh.size / len(positions)
    kx, ky, kz = wave_numbers(n, box_size_mpch)
    k = np.sqrt(kx**2 + ky**2 + kz**2)
    window = outer**3 * top_hat_window(k * outer) - inner**3 * top_hat_window(k * inner)
    window[0, 0, 0] = 0.0
    modes = scipy.fft.rfftn(mesh, workers=1) * (window / (outer**3 - inner**3))
    field = scipy.fft.irfftn(modes, s=mesh.shape, workers=1)
    # The shell is far wider than a cell: the nearest cell is near enough.
    cell = np.floor(centres * scale).astype(int) % n
    values: NDArray[np.float64] = field[cell[:, 0], cell[:, 1], cell[:, 2]]
    return values
