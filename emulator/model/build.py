"""From config sections and fitted statistics to objects."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch

from emulator.config import Channel, DiffusionConfig, NetworkConfig
from emulator.config.names import ObjectiveName
from emulator.diffusion.distributions import (
    Distribution,
    HyperbolicSecant,
    Logistic,
    Normal,
    SigmoidInTime,
    Truncated,
)
from emulator.diffusion.parameterization import Parameterization
from emulator.diffusion.schedule import FixedLinear, LearnedLinear, LearnedMonotone, Schedule
from emulator.diffusion.tables import GammaTable, ddpm_cosine, ddpm_linear
from emulator.diffusion.weighting import Weight
from emulator.model.field_transform import of_network
from emulator.model.normalisation import Normalisation
from emulator.networks.backbone import Backbone, Interface
from emulator.networks.dit import DiT
from emulator.networks.per_field import PerField
from emulator.networks.unet import UNetVDM

Objective = ObjectiveName | Literal["regression"]
"""What a network was trained for: to denoise, to draw in one pass or a few, or to give the mean."""

LENGTHS = (0.0, 1.0, 2.0)
"""Over how many pixels the noises of a one-step ensemble are smoothed."""

COPIES: dict[Objective, int] = {
    "diffusion": 1,
    "residual": 3,
    "one_step": 1 + len(LENGTHS),
    "consistency": 1,
    "regression": 1,
}
"""Channels of the network for each channel of the model; see :mod:`emulator.model.residual` and
:mod:`emulator.model.one_step`."""


def build_schedule(diffusion: DiffusionConfig, learned: Sequence[float] | None = None) -> Schedule:
    """Gamma as a function of time; of a trained model from the table of what it ``learned``."""
    ends = diffusion.gamma_min, diffusion.gamma_max
    if learned is not None:
        return GammaTable(torch.tensor(learned, dtype=torch.float64))
    match diffusion.schedule:
        case "fixed_linear":
            return FixedLinear(*ends)
        case "learned_linear":
            return LearnedLinear(*ends)
        case "learned_nn":
            return LearnedMonotone(*ends, learn_ends=diffusion.learn_ends)
        case "ddpm_linear":
            return GammaTable(ddpm_linear(), *ends)
        case "ddpm_cosine":
            return GammaTable(ddpm_cosine(), *ends)
    distributions: dict[str, Distribution] = {
        "logistic": Logistic(diffusion.logistic_loc, diffusion.logistic_scale),
        "cosine": HyperbolicSecant(),
        "sigmoid": SigmoidInTime(),
        "edm": Normal(),
    }
    return Truncated(distributions[diffusion.schedule], *ends)


def build_parameterization(diffusion: DiffusionConfig) -> Parameterization:
    """What the network predicts."""
    return Parameterization(diffusion.prediction, diffusion.sigma_data)


def build_weight(diffusion: DiffusionConfig) -> Weight:
    """What an error costs."""
    return Weight(
        diffusion.weight,
        min_snr=diffusion.min_snr,
        sigmoid_bias=diffusion.sigmoid_bias,
        sigma_data=diffusion.sigma_data,
    )


def interface_of(
    channels: Sequence[Channel],
    n_context: int,
    n_params: int,
    diffusion: DiffusionConfig,
    objective: Objective = "diffusion",
    ndim: int = 2,
) -> Interface:
    """What a backbone must fit for these fields, context windows, parameters and dimensions."""
    fields = tuple(channels.index(channel) for channel in of_network(channels)) * COPIES[objective]
    return Interface(
        n_channels=len(fields),
        n_context=n_context,
        n_params=n_params,
        gamma_min=diffusion.gamma_min,
        gamma_max=diffusion.gamma_max,
        fields=fields,
        ndim=ndim,
    )


def build_backbone(network: NetworkConfig, interface: Interface) -> Backbone:
    """Network of either kind, or one of it for each field."""
    one: Callable[[Interface], Backbone] = (
        partial(DiT, network) if network.kind == "dit" else partial(UNetVDM, network)
    )
    return PerField(one, interface) if network.per_field else one(interface)


def build_network(
    network: NetworkConfig,
    diffusion: DiffusionConfig,
    normalisation: Normalisation,
    objective: Objective = "diffusion",
) -> Backbone:
    """Network whose channels follow from the fitted normalisation, and from what it is for."""
    return build_backbone(network, interface_for(normalisation, diffusion, objective))


def interface_for(
    normalisation: Normalisation, diffusion: DiffusionConfig, objective: Objective = "diffusion"
) -> Interface:
    """Interface of a network for normalised data."""
    return interface_of(
        normalisation.channels,
        normalisation.n_further,
        len(normalisation.params),
        diffusion,
        objective,
        normalisation.dimensions,
    )


def channel_weights(channels: Sequence[Channel]) -> list[float]:
    """Loss weight of each network channel; a hurdle's two channels share their field's weight."""
    return [channel.loss_weight for channel in of_network(channels)]


def data_noises(channels: Sequence[Channel], default: float) -> list[float]:
    """Standard deviation of p(x|z_0) of each network channel."""
    return [channel.data_noise or default for channel in of_network(channels)]
