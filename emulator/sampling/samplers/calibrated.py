r"""Draws with noise of another size: the sampler of a model, with what its calibration found.

.. math:: x = S(f z) - t, \qquad z \sim N(0, I)

Every noise that the sampler ``S`` asks for is multiplied by ``f``, channel by channel. Where S is
linear in it, as it is for a deterministic solver and a denoiser that is affine in ``z_t``,
:math:`S(z) = A z + b`: each step of a solver combines ``z_t`` and outputs of the denoiser, so that
its end is an affine function of its start. Then :math:`\mathrm{Cov}\,S(f z) = A f^2 A^T`, and the
mean is :math:`b` for any ``f``. So with one factor for all channels the spread is exactly
proportional to it, as it is of each channel that mixes with no other. The same holds of solvers
that add noise on their way, all of which is scaled. A network is not linear, so factors are fitted
(:mod:`emulator.sampling.calibration`) and not computed.

The noises of a one-step ensemble have lengths of 0, 1 and 2 pixels, so that their factors move the
spread at different lengths; the network sees them scaled, too.

The shift ``t`` moves the threshold of a hurdle field: a pixel is occupied where its occupancy
exceeds ``t``.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.diffusion.likelihood import LogLikelihood
from emulator.model.broadcast import over_space
from emulator.model.field_transform import Encoded
from emulator.sampling.samplers.base import Density, Known, Sampler


class CalibratedSampler(Sampler):
    """A sampler whose noise is scaled, and whose channels are shifted.

    Parameters
    ----------
    sampler
        Of the model as it was trained.
    noise_scale
        ``(noise_channels,)``.
    shift
        ``(channel,)``, in normalised units.
    """

    def __init__(self, sampler: Sampler, noise_scale: Tensor, shift: Tensor) -> None:
        super().__init__(sampler.card, sampler.network)
        self.sampler, self.noise_channels = sampler, sampler.noise_channels
        self.noise_scale, self.shift = noise_scale.float(), shift.float()

    def of_network(self, network: Callable[..., Tensor]) -> Sampler:
        """See :meth:`Sampler.of_network`."""
        other = copy.copy(self)
        other.network, other.sampler = network, self.sampler.of_network(network)
        return other

    def require(self, options: SamplingConfig, *, observed: bool = False) -> None:
        """See :meth:`Sampler.require`."""
        self.sampler.require(options, observed=observed)

    def draw(
        self,
        given: Encoded,
        noise: Callable[[], Tensor],
        options: SamplingConfig,
        known: Known | None,
    ) -> Tensor:
        """See :meth:`Sampler.draw`; members go through what is known after the shift."""

        def scaled() -> Tensor:
            unit = noise()
            return unit * over_space(self.noise_scale, unit)

        if known is not None:
            known = known._replace(x=known.x + over_space(self.shift, known.x))
        x = self.sampler.draw(given, scaled, options, known)
        return x - over_space(self.shift, x)

    def log_likelihood(
        self,
        given: Encoded,
        x: Tensor,
        *,
        n_steps: int,
        n_probes: int,
        generator: torch.Generator,
    ) -> LogLikelihood:
        """That of the model as it was trained."""
        return self.sampler.log_likelihood(
            given, x, n_steps=n_steps, n_probes=n_probes, generator=generator
        )

    def density(self, given: Encoded, x: Tensor) -> Density:
        """That of the model as it was trained."""
        return self.sampler.density(given, x)

    def passes(self, options: SamplingConfig) -> int:
        """Those of the sampler."""
        return self.sampler.passes(options)

    def recipe(self, options: SamplingConfig) -> dict[str, str | int]:
        """That of the sampler."""
        return self.sampler.recipe(options)

    @property
    def scaled_copies(self) -> tuple[int, ...]:
        """Those of the sampler."""
        return self.sampler.scaled_copies
