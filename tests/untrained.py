"""Emulators that were never trained: every identity of sampling must hold for them, too."""

import fabricated
import torch
from fitted import fit

from emulator.config import DiffusionConfig, ModelConfig, UNetConfig
from emulator.model.build import build_network
from emulator.model.bundle import write_bundle
from emulator.model.card import Grid, ModelCard
from emulator.sampling.ensemble import Emulator

WINDOW, FACTORS = 16, (2, 4)
PARAMS = {"Omega_m": 0.3, "A_SN1": 0.0125}
NETWORK = UNetConfig(
    widths=(8, 16), blocks=1, attention_levels=(1,), groups=4, heads=2, embedding=16
)


def write_folder(path):
    """Maps of a training simulation, a held-out one, and two re-draws of it."""
    for simulation in fabricated.simulations(n_train=1, n_cv=1, n_draws=2):
        fabricated.write_maps(path, simulation)
    return path


def build_emulator(folder, diffusion=None, *, zero=False, seed=0, objective="diffusion", **card):
    """Emulator with random weights; or with a network that returns 0.

    For v-prediction zero is the perfect network of data that are N(0, I): z does not move. A
    one-step ensemble then draws the sum of its noises.
    """
    diffusion = diffusion or DiffusionConfig()
    model = ModelConfig(params=tuple(PARAMS))
    normalisation = fit(sorted(folder.glob("SB_*.h5")), model, FACTORS)
    torch.manual_seed(seed)
    network = build_network(NETWORK, diffusion, normalisation, objective)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    if zero:
        torch.nn.init.zeros_(network.out.weight)
        torch.nn.init.zeros_(network.out.bias)
    filled = ModelCard(
        name="t", network=NETWORK, diffusion=diffusion, normalisation=normalisation,
        grid=Grid(pixel_mpch=fabricated.PIXEL, window=WINDOW, depth_mpch=12.8, redshift=0.0),
        training={"precision": "32", "seed": seed, "objective": objective},
        metrics={}, attributes={}, weights_sha256=f"weights of seed {seed}", **card,
    )  # fmt: skip
    return Emulator(filled, network.requires_grad_(False).eval(), device="cpu")


def write_untrained(path, model):
    """Write a model as a bundle."""
    weights = model.network.state_dict()
    raw = {name: tensor.clone() for name, tensor in weights.items()}
    write_bundle(path, model.card, raw=raw, ema=weights, history="")
