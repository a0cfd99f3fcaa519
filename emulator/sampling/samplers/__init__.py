"""How networks are drawn from, one file a family: by a solver, in one pass, or in a few."""

from collections.abc import Callable

from torch import Tensor

from emulator.model.card import ModelCard
from emulator.sampling.samplers.base import Known, Sampler
from emulator.sampling.samplers.calibrated import CalibratedSampler
from emulator.sampling.samplers.consistency import ConsistencySampler
from emulator.sampling.samplers.diffusion import DiffusionSampler
from emulator.sampling.samplers.one_step import OneStepSampler
from emulator.sampling.samplers.residual import ResidualSampler

__all__ = ["CalibratedSampler", "Known", "Sampler", "build_sampler"]

SAMPLERS: dict[str, type[Sampler]] = {
    "diffusion": DiffusionSampler,
    "residual": ResidualSampler,
    "one_step": OneStepSampler,
    "consistency": ConsistencySampler,
}
"""Samplers by the objective that a network was trained for."""


def build_sampler(card: ModelCard, network: Callable[..., Tensor]) -> Sampler:
    """Sampler of a network that draws; a regression does not, and has none."""
    return SAMPLERS[card.facts.objective](card, network)
