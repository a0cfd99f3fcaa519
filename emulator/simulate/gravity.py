"""One N-body run from its seed: initial conditions by 2LPT, then the particle mesh to a = 1."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from emulator.config import EmbeddedSuite
from emulator.simulate.cosmology import Cosmology, Growth, LinearPower
from emulator.simulate.lpt import initial_particles, lagrangian_displacements, linear_density_modes
from emulator.simulate.particle_mesh import MeshForce, evolve


def run_gravity(suite: EmbeddedSuite, cosmology: Cosmology, ic_seed: int) -> NDArray[np.float32]:
    """Positions today of a dark-matter-only run; see :func:`run_outputs`."""
    return run_outputs(suite, cosmology, ic_seed)[0]


def run_outputs(
    suite: EmbeddedSuite,
    cosmology: Cosmology,
    ic_seed: int,
    on_step: Callable[[], None] = lambda: None,
    redshifts: Sequence[float] = (0.0,),
) -> list[NDArray[np.float32]]:
    """Positions of a dark-matter-only run at some redshifts.

    Parameters
    ----------
    suite
        Uses ``box_size_mpch``, ``n_particles``, ``mesh``, ``n_steps`` and ``a_start``.
    ic_seed
        Seed of the initial phases.
    on_step
        Called after each of ``suite.n_steps`` time steps, for progress.
    redshifts
        Of the outputs; they change nothing of the run.

    Returns
    -------
    ``(particle, 3)`` in [0, box) [Mpc/h] for each redshift; a function of the arguments alone, bit
    for bit.
    """
    box, growth = suite.box_size_mpch, Growth(cosmology)
    density = linear_density_modes(suite.n_particles, box, LinearPower(cosmology), ic_seed)
    displacements = lagrangian_displacements(density, box)
    positions, momenta = initial_particles(displacements, box, suite.a_start, growth)
    return evolve(
        positions,
        momenta,
        growth,
        MeshForce(suite.mesh, box),
        a_start=suite.a_start,
        n_steps=suite.n_steps,
        on_step=on_step,
        outputs=[1.0 / (1.0 + redshift) for redshift in redshifts],
    )
