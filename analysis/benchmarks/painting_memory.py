"""Memory of painting a large box; each network in a process of its own.

Prints a line a network, ``what|GiB``.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

from emulator.config import DiffusionConfig, SamplingConfig, UNetConfig
from emulator.model.build import build_network
from emulator.model.bundle import read_card
from emulator.sampling.ensemble import Emulator
from emulator.units import CRITICAL_DENSITY

N_PIXELS, WINDOW, FACTORS = 1024, 128, (2, 4, 8)
WIDTHS = ((8, 16), (32, 64))


def main() -> None:
    """Without widths: a process for each network."""
    bundle, *widths = sys.argv[1:]
    if widths:
        print(_peak(Path(bundle), tuple(map(int, widths))))
        return
    for each in WIDTHS:
        command = [sys.executable, "-m", "analysis.benchmarks.painting_memory", bundle]
        done = subprocess.run(
            [*command, *map(str, each)], capture_output=True, text=True, check=True
        )
        print(f"{' and '.join(map(str, each))} channels|{float(done.stdout):.2f}")


def _peak(bundle: Path, widths: tuple[int, ...]) -> float:
    """GiB that this process took at most, for one member."""
    card = read_card(bundle)
    own = card.normalisation
    update = {
        "context_factors": FACTORS,
        "condition_mean": own.condition_mean[:1] * (1 + len(FACTORS)),
        "condition_std": own.condition_std[:1] * (1 + len(FACTORS)),
    }
    statistics = own.model_copy(update=update)
    config = UNetConfig(widths=widths, blocks=1, attention_levels=(), groups=8, embedding=32)
    network = build_network(config, DiffusionConfig(), statistics, "diffusion")
    grid = card.matter_grid.model_copy(update={"window": WINDOW})
    wide = card.model_copy(
        update={"normalisation": statistics, "grid": grid, "diffusion": DiffusionConfig()}
    )
    model = Emulator(wide, network.requires_grad_(False).eval(), device="cpu")
    params = {name: scale.fiducial for name, scale in own.params.items()}
    mean = params["Omega_m"] * CRITICAL_DENSITY * grid.pixel_mpch**2 * grid.depth_mpch
    box = mean * np.random.default_rng(0).lognormal(-0.125, 0.5, (N_PIXELS, N_PIXELS))
    model.paint(box.astype(np.float32), params, sampling=SamplingConfig(n_steps=1))
    return peak_gib()


def peak_gib() -> float:
    """Most memory of this program; ``getrusage`` would begin at that of the process above it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) / 2**20 for x in lines if x.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
