"""Particles in the orders in which files hold them."""

import numpy as np
from numpy.typing import NDArray

BOX_MPCH = 25.0


def displaced_lattice(side: int) -> NDArray[np.float32]:
    """Lattice of ``side^3`` particles displaced by 0.3 Mpc/h rms, in lattice order [Mpc/h]."""
    rng = np.random.default_rng(0)
    lattice = (np.indices((side,) * 3, np.float32).reshape(3, -1).T + 0.5) * (BOX_MPCH / side)
    lattice += rng.normal(0.0, 0.3, lattice.shape).astype(np.float32)
    lattice %= np.float32(BOX_MPCH)
    lattice[lattice >= BOX_MPCH] = 0.0
    return np.ascontiguousarray(lattice)


def snapshot_like(position: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sort by cells of 32^3, as codes that walk a space-filling curve write their particles."""
    cell = (position * (32 / BOX_MPCH)).astype(np.int64)
    return position[np.argsort((cell[:, 0] * 32 + cell[:, 1]) * 32 + cell[:, 2], kind="stable")]
