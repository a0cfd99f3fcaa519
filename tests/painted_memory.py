"""A process of its own that paints a large box, and prints the most memory it took [GiB].

The argument is a folder of maps, for statistics. Windows of 128 pixels with three scales of
context, a tiny network, two evaluations: what is measured is what painting keeps.
"""

import json
import sys
from pathlib import Path

import numpy as np
from untrained import NETWORK, PARAMS, build_emulator

from analysis.benchmarks.painting_memory import peak_gib
from emulator.config import DiffusionConfig, SamplingConfig
from emulator.model.build import build_network
from emulator.sampling.ensemble import Emulator
from emulator.units import CRITICAL_DENSITY

N_PIXELS, FACTORS, WINDOW = 1024, (2, 4, 8), 128


def build_wide(folder: Path) -> Emulator:
    """The untrained emulator, with larger windows and one more scale of context."""
    card = build_emulator(folder).card
    own = card.normalisation
    statistics = own.model_copy(
        update={
            "context_factors": FACTORS,
            "condition_mean": (*own.condition_mean, own.condition_mean[-1]),
            "condition_std": (*own.condition_std, own.condition_std[-1]),
        }
    )
    grid = card.grid.model_copy(update={"window": WINDOW})
    network = build_network(NETWORK, DiffusionConfig(), statistics, "diffusion")
    wide = card.model_copy(update={"normalisation": statistics, "grid": grid})
    return Emulator(wide, network.requires_grad_(False).eval(), device="cpu")


def main() -> None:
    """Paint one member, and say what it took."""
    model = build_wide(Path(sys.argv[1]))
    grid = model.card.grid
    mean = PARAMS["Omega_m"] * CRITICAL_DENSITY * grid.pixel_mpch**2 * grid.depth_mpch
    box = mean * np.random.default_rng(0).lognormal(-0.125, 0.5, (N_PIXELS, N_PIXELS))
    painted = model.paint(box.astype(np.float32), PARAMS, sampling=SamplingConfig(n_steps=2))
    print(json.dumps({"shape": list(painted["fields"].shape), "peak_gib": peak_gib()}))


if __name__ == "__main__":
    main()
