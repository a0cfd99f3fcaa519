"""Stars whose channels have the options of targets of unit scale, and modules that train them."""

import torch
from tiny import TINY

from emulator.config import parse_config
from emulator.model.build import build_network
from emulator.model.field_transform import FieldTransform
from emulator.training.objectives.diffusion import DiffusionModule
from emulator.training.objectives.regression import RegressionModule

SINGLE = {**TINY["training"], "precision": "32"}
NETWORK = {**TINY["model"]["network"], "dropout": 0.0}
FILLED = ["noise", "masked"]


def model(**options):
    """Section ``model`` with options of the stars."""
    stars = {"name": "stars", **options}
    channels = [{"name": "dm_hydro"}, {"name": "gas"}, stars]
    return {**TINY["model"], "network": NETWORK, "channels": channels}


def raw(**options):
    return {**TINY, "model": model(**options), "training": SINGLE}


def module_of(normalisation, kind=DiffusionModule, **options):
    config = parse_config({**TINY, "diffusion": options, "training": SINGLE})
    torch.manual_seed(0)
    network = build_network(config.model.network, config.diffusion, normalisation)
    diffusion = {} if kind is RegressionModule else {"diffusion": config.diffusion}
    return kind(
        network, FieldTransform(normalisation), config.training,
        seed=0, pixel_mpch=0.2, **diffusion,
    )  # fmt: skip
