r"""Members of a one-step ensemble: what a network makes of unit noise in one pass.

For every channel of the model the network has an offset ``a`` and the logarithms ``b`` of a scale
for each of a few lengths :math:`\ell`; its noise has as many channels, :math:`z = (z_0, z_1, ...)`:

.. math:: x = a(z, c) + \frac{1}{\sqrt{S}} \sum_{s=1}^{S} e^{b_s(z, c)}\, (G_{\ell_s} z_s), \qquad
          z \sim N(0, I),

where :math:`G_\ell` smooths with a Gaussian of width :math:`\ell` pixels and keeps the variance at
one. A network that returns zero so draws noise with the spread of normalised data: training begins
with the climatology and has only to learn what is known. Noise need not pass the network to be in a
member, whether it is white or belongs together over a few pixels; ``b`` tells how much there is of
each. What is neither is left to ``a``, which sees all noise.

Smoothing is periodic: the noise of a window is homogeneous up to its edges, and opposite edges
share a little of it.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from emulator.diffusion.parameterization import Network
from emulator.model.build import COPIES, LENGTHS
from emulator.model.conditional import one_pass

LOG_SCALES = (-6.0, 3.0)
"""Range of ``b``: beyond it nothing is normalised any more."""


@lru_cache(maxsize=16)
def _transfer(shape: tuple[int, ...], length: float) -> Tensor:
    """Of a Gaussian smoothing that keeps the variance of white noise, for ``rfftn``."""
    *rows, last = shape
    axes = [torch.fft.fftfreq(n) for n in rows] + [torch.fft.rfftfreq(last)]
    whole = [torch.fft.fftfreq(n) for n in shape]

    def gaussian(frequencies: list[Tensor]) -> Tensor:
        square = sum(k**2 for k in torch.meshgrid(*frequencies, indexing="ij"))
        return torch.exp(-0.5 * (2 * math.pi * length) ** 2 * torch.as_tensor(square))

    return gaussian(axes) / gaussian(whole).square().mean().sqrt()


def smooth(z: Tensor, length: float) -> Tensor:
    """Noise of unit variance that is correlated over about ``length`` pixels, from white noise."""
    if length == 0.0:
        return z
    axes = tuple(range(2, z.ndim))
    transfer = _transfer(tuple(z.shape[2:]), length).to(z)
    smoothed: Tensor = torch.fft.irfftn(
        torch.fft.rfftn(z, dim=axes) * transfer, s=z.shape[2:], dim=axes
    )
    return smoothed


def draw_members(network: Network, z: Tensor) -> Tensor:
    """Members ``(batch, channel, y, x)`` of unit noise.

    Parameters
    ----------
    network
        Bound to its condition.
    z
        ``(batch, (1 + number of lengths) * channel, y, x)``.
    """
    copies = COPIES["one_step"]
    offset, *log_scales = one_pass(network, z).chunk(copies, dim=1)
    _, *noises = z.chunk(copies, dim=1)
    parts = [
        torch.exp(log_scale.clamp(*LOG_SCALES)) * smooth(noise, length)
        for log_scale, noise, length in zip(log_scales, noises, LENGTHS, strict=True)
    ]
    return offset + torch.stack(parts).sum(0) / math.sqrt(len(LENGTHS))
