r"""Gravity: a particle mesh with the kicks and drifts of FastPM.

Momenta are :math:`p = a^2 \dot x / H_0` and the force is
:math:`f = -\nabla \nabla^{-2} \delta` [Mpc/h], so that

.. math::
    p \mathrel{+}= f\, \frac{G_1(a_1) - G_1(a_0)}{D_1(a_f)}, \qquad
    x \mathrel{+}= p\, \frac{D_1(a_1) - D_1(a_0)}{G_1(a_p)},

where ``f`` is that of scale factor ``a_f``, ``p`` that of ``a_p``. These factors follow linear
growth exactly for any number of steps. The mesh: cloud in cell, Green's function -1/k^2, gradient
by a 4-point difference. Below about two cells the force is softened; nothing corrects for it.

References
----------
FastPM: a new scheme for fast simulations of dark matter and haloes (Feng et al. 2016), section 2,
https://arxiv.org/abs/1603.00476
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from emulator.jit import njit
from emulator.simulate.cosmology import Growth
from emulator.simulate.lpt import wave_numbers

Vectors = NDArray[np.float32]
Mesh = NDArray[np.float32]


class MeshForce:
    r"""The force :math:`-\nabla\nabla^{-2}\delta` of particles of equal mass on a periodic mesh.

    Parameters
    ----------
    n_mesh
        Cells a side, even.
    box_size_mpch
        Side of the box.
    """

    def __init__(self, n_mesh: int, box_size_mpch: float) -> None:
        self.box_size_mpch = box_size_mpch
        self.cells_per_mpch = np.float32(n_mesh / box_size_mpch)
        kx, ky, kz = wave_numbers(n_mesh, box_size_mpch)
        k2 = kx**2 + ky**2 + kz**2
        k2[0, 0, 0] = np.inf
        self._green = (-1.0 / k2).astype(np.float32)
        self._mesh = np.empty((n_mesh,) * 3, dtype=np.float32)
        self._gradient = np.empty((*self._mesh.shape, 3), dtype=np.float32)

    def __call__(self, positions: Vectors) -> Mesh:
        """Field on the mesh, ``(n, n, n, 3)`` [Mpc/h]; the next call writes into the same array."""
        self._mesh[...] = 0.0
        deposit(positions, self.cells_per_mpch, self._mesh)
        # The mean need not be removed: the Green's function is zero at k = 0.
        self._mesh *= np.float32(self._mesh.size / len(positions))
        modes = scipy.fft.rfftn(self._mesh, workers=1)
        modes *= self._green
        potential = scipy.fft.irfftn(modes, s=self._mesh.shape, overwrite_x=True, workers=1)
        _negative_gradient(potential, self.cells_per_mpch, self._gradient)
        return self._gradient

    def at(self, positions: Vectors) -> Vectors:
        """Field at the particles themselves, ``(particle, 3)`` [Mpc/h]."""
        force = np.zeros_like(positions)
        _kick(positions, force, self(positions), self.cells_per_mpch, np.float32(1.0))
        return force


def evolve(
    positions: Vectors,
    momenta: Vectors,
    growth: Growth,
    force: MeshForce,
    *,
    a_start: float,
    n_steps: int,
    on_step: Callable[[], None] = lambda: None,
    outputs: Sequence[float] = (),
) -> list[Vectors]:
    """Move particles in place from ``a_start`` to a = 1 in steps uniform in a.

    Half-kicks of neighbouring steps are merged, and the last one is left out: positions end at
    a = 1, momenta half a step earlier.

    Parameters
    ----------
    positions, momenta
        ``(particle, 3)`` float32 [Mpc/h]; positions are wrapped into the box.
    on_step
        Called after each step, for progress.
    outputs
        Scale factors in (a_start, 1] at which positions are kept. Inside a step particles drift to
        them from its beginning, as FastPM's factors have it; the run goes on as without.

    Returns
    -------
    Positions at each of ``outputs``, in their order.
    """
    edges = np.linspace(a_start, 1.0, n_steps + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    kick_edges = np.concatenate(([a_start], middles))
    d_edges, _ = growth.first(edges)
    _, g_middles = growth.first(middles)
    _, g_kicks = growth.first(kick_edges)
    found: list[Vectors] = [positions] * len(outputs)
    for step in range(n_steps):
        field = force(positions)
        kick = (g_kicks[step + 1] - g_kicks[step]) / d_edges[step]
        _kick(positions, momenta, field, force.cells_per_mpch, np.float32(kick))
        for i, a in enumerate(outputs):
            if edges[step] < a < edges[step + 1]:
                found[i] = positions.copy()
                part = (float(growth.first(a)[0]) - d_edges[step]) / g_middles[step]
                _drift(found[i], momenta, np.float32(part), np.float32(force.box_size_mpch))
        drift = (d_edges[step + 1] - d_edges[step]) / g_middles[step]
        _drift(positions, momenta, np.float32(drift), np.float32(force.box_size_mpch))
        for i, a in enumerate(outputs):
            if a == edges[step + 1] < 1.0:
                found[i] = positions.copy()
        on_step()
    return found


@njit()
def _cells(x: np.float32, n: int) -> tuple[int, int, np.float32, np.float32]:
    """Lower and upper cell of a cloud at ``x`` [cells] and their weights; centres at i + 1/2."""
    x -= np.float32(0.5)
    floor = np.floor(x)
    upper = np.float32(x - floor)
    i0 = int(floor) % n
    i1 = i0 + 1 if i0 + 1 < n else 0
    return i0, i1, np.float32(1.0) - upper, upper


@njit()
def deposit(positions: Vectors, cells_per_mpch: np.float32, mesh: Mesh) -> None:
    """Add each particle to ``mesh`` with weight 1 by cloud in cell."""
    n = mesh.shape[0]
    for p in range(positions.shape[0]):
        i0, i1, a0, a1 = _cells(positions[p, 0] * cells_per_mpch, n)
        j0, j1, b0, b1 = _cells(positions[p, 1] * cells_per_mpch, n)
        m0, m1, c0, c1 = _cells(positions[p, 2] * cells_per_mpch, n)
        mesh[i0, j0, m0] += a0 * b0 * c0
        mesh[i0, j0, m1] += a0 * b0 * c1
        mesh[i0, j1, m0] += a0 * b1 * c0
        mesh[i0, j1, m1] += a0 * b1 * c1
        mesh[i1, j0, m0] += a1 * b0 * c0
        mesh[i1, j0, m1] += a1 * b0 * c1
        mesh[i1, j1, m0] += a1 * b1 * c0
        mesh[i1, j1, m1] += a1 * b1 * c1


@njit()
def _kick(
    positions: Vectors,
    momenta: Vectors,
    field: Mesh,
    cells_per_mpch: np.float32,
    factor: np.float32,
) -> None:
    """Add ``factor`` times the field, read by cloud in cell, to the momenta."""
    n = field.shape[0]
    for p in range(positions.shape[0]):
        i0, i1, a0, a1 = _cells(positions[p, 0] * cells_per_mpch, n)
        j0, j1, b0, b1 = _cells(positions[p, 1] * cells_per_mpch, n)
        m0, m1, c0, c1 = _cells(positions[p, 2] * cells_per_mpch, n)
        for axis in range(3):
            lower = b0 * (c0 * field[i0, j0, m0, axis] + c1 * field[i0, j0, m1, axis])
            lower += b1 * (c0 * field[i0, j1, m0, axis] + c1 * field[i0, j1, m1, axis])
            upper = b0 * (c0 * field[i1, j0, m0, axis] + c1 * field[i1, j0, m1, axis])
            upper += b1 * (c0 * field[i1, j1, m0, axis] + c1 * field[i1, j1, m1, axis])
            momenta[p, axis] += factor * (a0 * lower + a1 * upper)


@njit()
def _drift(positions: Vectors, momenta: Vectors, factor: np.float32, box: np.float32) -> None:
    """Move by ``factor * momenta`` and wrap into [0, box)."""
    for p in range(positions.shape[0]):
        for axis in range(3):
            x = positions[p, axis] + factor * momenta[p, axis]
            x -= box * np.floor(x / box)
            # float32 may round a tiny negative x to the box itself.
            positions[p, axis] = x if x < box else np.float32(0.0)


@njit()
def _negative_gradient(potential: Mesh, cells_per_mpch: np.float32, out: Mesh) -> None:
    """4-point difference: f'(x) = [8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))] / 12h."""
    n = potential.shape[0]
    near, far = np.float32(-8.0 / 12.0) * cells_per_mpch, np.float32(1.0 / 12.0) * cells_per_mpch
    for i in range(n):
        i_above, i_below = potential[(i + 1) % n], potential[(i - 1) % n]
        i_over, i_under = potential[(i + 2) % n], potential[(i - 2) % n]
        for j in range(n):
            row = potential[i, j]
            j_above, j_below = potential[i, (j + 1) % n], potential[i, (j - 1) % n]
            j_over, j_under = potential[i, (j + 2) % n], potential[i, (j - 2) % n]
            for m in range(n):
                above = m + 1 if m + 1 < n else 0
                over = m + 2 if m + 2 < n else m + 2 - n
                cell = out[i, j, m]
                cell[0] = near * (i_above[j, m] - i_below[j, m]) + far * (
                    i_over[j, m] - i_under[j, m]
                )
                cell[1] = near * (j_above[m] - j_below[m]) + far * (j_over[m] - j_under[m])
                # Negative indices wrap.
                cell[2] = near * (row[above] - row[m - 1]) + far * (row[over] - row[m - 2])
