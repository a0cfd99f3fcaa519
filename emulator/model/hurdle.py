r"""What the two channels of a hurdle field hold, as options of the channel.

**Occupancy** is -1 or 1. Where few pixels are occupied, z-scoring puts almost all of them just
below zero and the others many standard deviations above it (stars in 2 % of the pixels: -0.14 and
7). *Analog bits* stay as they are (mean 0 and standard deviation 1 in the statistics), so that both
values lie where the noise schedule expects data to lie; zero decides (Chen, Zhang & Hinton 2023).

**Amplitude** is not defined in an empty pixel. What stands there before anything is noised:

========== ============================= ==============================================
option     data in an empty pixel        loss of the channel
========== ============================= ==============================================
``zero``   0                             of all pixels
``noise``  fresh :math:`n \sim N(0, 1)`  of all pixels
``masked`` fresh :math:`n \sim N(0, 1)`  of occupied pixels, over their expected number
========== ============================= ==============================================

With ``zero`` the channel's variance is the share of occupied pixels, ``p``, where the schedule
assumes one. With the others it is one. The expected number is ``p`` of the training split times the
pixels of a window, and so a constant: a window without any occupied pixel adds nothing, and the
loss of a step does not depend on how it is divided. (Windows drawn with ``training.mass_tilt`` hold
more occupied pixels than that, and the channel weighs as much more.)

What the network sees when it draws, where a pixel is going to be empty:

* ``zero``: its own draw on the way to zero, as in training. That tells it which pixels are empty:
  the noised amplitude has the variance :math:`\sigma^2` there, and one elsewhere.
* ``noise``: unit noise at any gamma, as in training, of which the perfect prediction of v is zero;
  the drawn value means nothing, and the inverse does not read it. What is learned is the
  distribution of the data beside the noise, so nothing is approximated. The loss of a v-prediction
  cannot fall below the share of empty pixels.
* ``masked``: something that no training showed. The minimiser of the loss is the mean given that
  the pixel is occupied, so a pixel that ends empty has the amplitude that it would have if it were
  occupied. Training shows noise of the same mean and variance in its place. (Zeros would tell the
  occupancy, which no draw does.) The two differ as far as an amplitude can be told from its
  surroundings: a network may take an amplitude that fits for a sign of an occupied pixel, and in
  a draw all of them fit. So occupancies are to be watched.

References
----------
Chen, Zhang & Hinton (2023), "Analog Bits", arXiv:2208.04202.
"""

from collections.abc import Sequence

from emulator.config import Channel
from emulator.config.channels import EmptyAmplitude
from emulator.model.transforms import TRANSFORMS

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Means and standard deviations of the network's channels."""


def _parts(channels: Sequence[Channel]) -> list[tuple[Channel, str]]:
    """Channel of the model, and suffix, of each channel of the network."""
    return [(c, suffix) for c in channels for suffix in TRANSFORMS[c.transform].suffixes]


def empty_amplitudes(channels: Sequence[Channel]) -> list[EmptyAmplitude]:
    """Option of each channel of the network; of one that is defined everywhere: zero."""
    return [
        channel.empty_amplitude if suffix == "_amplitude" else "zero"
        for channel, suffix in _parts(channels)
    ]


def keep_bits(channels: Sequence[Channel], fitted: Statistics) -> Statistics:
    """Statistics with mean 0 and standard deviation 1 where a channel holds analog bits."""
    bits = [
        suffix == "_occupancy" and channel.occupancy == "analog_bits"
        for channel, suffix in _parts(channels)
    ]
    mean, std = fitted
    return (
        tuple(0.0 if bit else value for bit, value in zip(bits, mean, strict=True)),
        tuple(1.0 if bit else value for bit, value in zip(bits, std, strict=True)),
    )
