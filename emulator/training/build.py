"""From config sections and fitted statistics to objects."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from emulator.config import ChannelConfig, DiffusionConfig, NetworkConfig
from emulator.data.normalisation import Normalisation
from emulator.data.transforms import network_channels
from emulator.diffusion.parameterization import Denoiser, Kind, Network, Prediction, interpret
from emulator.diffusion.schedule import FixedLinear
from emulator.diffusion.weighting import BoundObjective, LogisticObjective, Objective
from emulator.networks.unet import UNetVDM


def build_schedule(diffusion: DiffusionConfig) -> FixedLinear:
    """Gamma as a function of time."""
    return FixedLinear(diffusion.gamma_min, diffusion.gamma_max)


def build_objective(diffusion: DiffusionConfig) -> Objective:
    """Training distribution of gamma and cost of an error."""
    schedule = build_schedule(diffusion)
    if diffusion.objective == "bound":
        return BoundObjective(schedule)
    return LogisticObjective(schedule, diffusion.logistic_loc, diffusion.logistic_scale)


def build_network(
    network: NetworkConfig, diffusion: DiffusionConfig, normalisation: Normalisation
) -> UNetVDM:
    """Network whose channels follow from the fitted normalisation."""
    return UNetVDM(
        network,
        n_channels=len(network_channels(normalisation.channels)),
        n_context=len(normalisation.context_factors),
        n_params=len(normalisation.params),
        gamma_min=diffusion.gamma_min,
        gamma_max=diffusion.gamma_max,
    )


def channel_weights(channels: Sequence[ChannelConfig]) -> list[float]:
    """Loss weight of each network channel; a hurdle's two channels share their field's weight."""
    weights = {channel.name: channel.loss_weight for channel in channels}
    return [
        weights[channel.name]
        for channel in channels
        for _ in range(2 if channel.transform == "hurdle" else 1)
    ]


def bind_condition(network: Callable[..., Tensor], fields: Tensor, params: Tensor) -> Network:
    """``network(z, gamma)`` with condition, context and known parameters bound to it."""
    mask = torch.ones_like(params)

    def bound(z: Tensor, gamma: Tensor) -> Tensor:
        return network(z, gamma, fields, params, mask)

    return bound


def denoiser(network: Network, kind: Kind) -> Denoiser:
    """Read a network's output as estimates of the data and of the noise, in at least float32."""

    def denoise(z: Tensor, gamma: Tensor) -> Prediction:
        return interpret(kind, network(z, gamma).to(z.dtype), z, gamma)

    return denoise
