"""A network with its condition bound to it: what solvers and losses call."""

from collections.abc import Callable

import torch
from torch import Tensor

from emulator.config import DiffusionConfig
from emulator.diffusion.parameterization import Denoiser, Network, Parameterization, Prediction
from emulator.diffusion.path import Path
from emulator.model.broadcast import over_space
from emulator.model.build import build_parameterization
from emulator.model.field_transform import Encoded

NO_DIFFUSION = DiffusionConfig(prediction="x")
"""The diffusion of networks that do not diffuse: nothing of the section ``diffusion`` matters."""


def bind_condition(
    network: Callable[..., Tensor],
    given: Encoded,
    diffusion: DiffusionConfig,
    *,
    keep_params: Tensor | None = None,
    keep_context: Tensor | None = None,
) -> Network:
    """``network(z, gamma)`` with condition, context and parameters bound to it.

    Parameters
    ----------
    network
        ``network(z, gamma, fields, params, mask)``.
    given
        The condition as the network sees it.
    diffusion
        In which scale the network sees ``z``.
    keep_params
        ``(batch, param)`` of 0 and 1: which of the known parameters the network is told.
    keep_context
        ``(batch,)`` of 0 and 1: where the context is dropped; it is then zero everywhere, which no
        real window is.
    """
    fields, params, known = given
    mask = known if keep_params is None else known * keep_params
    if keep_context is not None:
        kept = fields[:, 1:] * over_space(keep_context[:, None], fields)
        fields = torch.cat([fields[:, :1], kept], dim=1)

    def bound(z: Tensor, gamma: Tensor) -> Tensor:
        return network(z, gamma, fields, params, mask)

    return build_parameterization(diffusion).precondition(
        bound, Path(diffusion.path), residual=diffusion.residual
    )


def one_pass(network: Network, z: Tensor) -> Tensor:
    """What a network that knows no noise levels makes of ``z``: it is asked at the noise end.

    From unit noise a member of a one-step ensemble; from zeros the mean that a regression gives.
    """
    return network(z, z.new_full((len(z),), NO_DIFFUSION.gamma_max)).to(z.dtype)


def denoiser(network: Network, parameterization: Parameterization) -> Denoiser:
    """Read a network's output as estimates of the data and of the noise, in at least float32."""

    def denoise(z: Tensor, gamma: Tensor) -> Prediction:
        return parameterization.interpret(network(z, gamma).to(z.dtype), z, gamma)

    return denoise
