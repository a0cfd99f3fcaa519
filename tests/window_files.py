"""Ready windows as they must be: shares of the matter, with block means of what is around them."""

import numpy as np

from emulator.projection.pyramid import block_mean
from emulator.suites.window_files import ReadyWindow
from emulator.units import CRITICAL_DENSITY

N, FACTORS, BOX = 16, (2, 4), 12.8


def make_sample(seed=0, params=(0.3, 0.0125), factors=FACTORS, **changes):
    """A window out of a box of its own: shares of the matter, and block means around it."""
    rng = np.random.default_rng(seed)
    side = N * max(FACTORS)
    box = rng.lognormal(0, 1, (side, side))
    box *= params[0] * CRITICAL_DENSITY * (BOX / side) ** 2 * BOX / box.mean()

    def around(factor):
        middle = slice((side - factor * N) // 2, (side + factor * N) // 2)
        return block_mean(box[middle, middle], factor).astype(np.float32)

    condition = around(1)
    noise = rng.lognormal(0, 0.1, (3, N, N)) * np.array([0.84, 0.15, 0.01])[:, None, None]
    noise[2] *= rng.random((N, N)) < 0.5
    fields = {
        "condition": condition,
        "target": (condition * noise).astype(np.float32),
        "large_scale": np.stack([around(factor) for factor in factors]),
        "params": np.array(params, np.float32),
        "halo_mass": np.array(2e12, np.float32),
        "halo_center": rng.uniform(0, 12, 3).astype(np.float32),
    }
    return ReadyWindow(**(fields | changes))
