r"""The training loss: a weighted squared error of the network's output.

.. math:: L = E_{t,\epsilon}\Big[c(\gamma_t)\,\frac1N\sum_i m_i k_i w_i\,(o_i - \hat o_i)^2\Big]

with ``o`` what the network predicts, ``c`` the cost of a draw
(:mod:`~emulator.diffusion.weighting`), ``k`` the weight of each channel, ``m`` a mask of channels
and ``w`` a weight of each pixel.
"""

import torch
from torch import Tensor

from emulator.diffusion.bound import end_terms
from emulator.diffusion.parameterization import Network, Parameterization
from emulator.diffusion.process import diffuse
from emulator.diffusion.schedule import Schedule
from emulator.diffusion.weighting import Weight


def training_loss(
    network: Network,
    x: Tensor,
    eps: Tensor,
    t: Tensor,
    *,
    schedule: Schedule,
    parameterization: Parameterization,
    weight: Weight,
    channel_weights: Tensor,
    channel_mask: Tensor | None = None,
    pixel_weights: Tensor | None = None,
    data_noise: float | Tensor | None = None,
) -> Tensor:
    """Loss of each sample, averaged over pixels and weighted over channels.

    Parameters
    ----------
    network
        ``network(z, gamma)`` returns the prediction of ``parameterization``; it has been
        preconditioned for it.
    x, eps
        Normalised fields and unit noise, ``(batch, channel, ...)``.
    t
        Times in [0, 1), ``(batch,)``; see :mod:`emulator.diffusion.times`.
    schedule, parameterization, weight
        Where gammas are drawn, what the network predicts, what an error costs.
    channel_weights
        ``(channel,)``; normalised to mean one.
    channel_mask
        ``(batch, channel)``: 1 where a sample has the channel, 0 where it is missing; a sample's
        loss is the mean over the channels it has.
    pixel_weights
        Shape of ``x``: weight of each pixel's error in its channel. Where values are not seen
        (0), the others weigh as much more if the mean over the data is one.
    data_noise
        Needed where the schedule learns its ends: the terms of the bound that depend on them are
        then added (they do not reach the network).

    Returns
    -------
    ``(batch,)``.

    Raises
    ------
    ValueError
        If a sample has no channel at all, or if ends are learned without ``data_noise``.
    """
    levels = schedule.levels(t)
    gamma = levels.gamma
    output = network(diffuse(x, eps, gamma), gamma)
    error = output - parameterization.target(x, eps, gamma)
    cost = weight.of_output(parameterization, gamma, levels.slope)
    square = error**2 if pixel_weights is None else error**2 * pixel_weights
    per_channel = square.flatten(2).mean(-1) * cost[:, None]
    shares = (channel_weights / channel_weights.mean()).expand(per_channel.shape)
    if channel_mask is not None:
        present = channel_mask.to(shares).mean(-1, keepdim=True)
        if bool((present == 0).any()):
            raise ValueError("channel_mask: a sample without any channel has no loss")
        per_channel = torch.where(channel_mask > 0, per_channel, 0.0)
        shares = shares / present
    losses = (per_channel * shares).mean(-1)
    estimate = losses.detach()
    for tensor in levels.interior:
        if tensor.requires_grad:
            # the shape lowers the second moment of the estimate: d(L^2) = 2 L dL, sample by sample
            tensor.register_hook(lambda grad: 2.0 * estimate * grad)
    if schedule.learns_ends:
        if data_noise is None:
            raise ValueError("a schedule that learns its ends needs data_noise, for the bound")
        gamma_min, gamma_max = schedule.ends()
        counted = None if pixel_weights is None else pixel_weights > 0
        prior, reconstruction = end_terms(x, gamma_min, gamma_max, data_noise, counted)
        losses = losses + ((prior + reconstruction) / x[0].numel()).to(losses)
    return losses
