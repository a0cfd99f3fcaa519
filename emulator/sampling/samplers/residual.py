"""Sampling about a mean: mean and spread in one pass, then a diffusion of what they leave."""

from collections.abc import Callable

import torch
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.diffusion.likelihood import LogLikelihood
from emulator.io import EmulatorError
from emulator.model.card import ModelCard
from emulator.model.conditional import NO_DIFFUSION, bind_condition
from emulator.model.field_transform import Encoded
from emulator.model.residual import Centre, centre_of, moved_channels, seeing
from emulator.sampling.samplers.base import Density, Known
from emulator.sampling.samplers.diffusion import DiffusionSampler
from emulator.sampling.samplers.steering import steered_denoiser


class ResidualSampler(DiffusionSampler):
    """One pass more than a diffusion; known values are led through as residuals."""

    def __init__(self, card: ModelCard, network: Callable[..., Tensor]) -> None:
        super().__init__(card, network)
        self.moved = moved_channels(card.normalisation.channels)

    def require(self, options: SamplingConfig, *, observed: bool = False) -> None:
        """No guidance and no spectral start: both know of no mean that is taken out."""
        if options.guidance_scale != 1.0:
            raise EmulatorError(
                f"sampling.guidance_scale is {options.guidance_scale:g}, and what this model draws "
                "with and without a condition has different means: set it to 1, or train with "
                "training.objective: diffusion"
            )
        if options.start == "spectrum":
            raise EmulatorError(
                "sampling.start: spectrum needs spectra of what is diffused, and this model "
                "diffuses a residual, whose are not known: leave start as it is"
            )

    def draw(
        self,
        given: Encoded,
        noise: Callable[[], Tensor],
        options: SamplingConfig,
        known: Known | None,
    ) -> Tensor:
        """See :meth:`Sampler.draw`; the noise of known values is in units of the spread."""
        centre = self._centre(given)
        led = None if known is None else known._replace(x=centre.remove(known.x))
        return centre.add(self.solve(seeing(self.network, centre), given, noise, options, led))

    def passes(self, options: SamplingConfig) -> int:
        """One more than those of the solver, for mean and spread."""
        return super().passes(options) + 1

    def log_likelihood(
        self,
        given: Encoded,
        x: Tensor,
        *,
        n_steps: int,
        n_probes: int,
        generator: torch.Generator,
    ) -> LogLikelihood:
        """That of the residual, less the logarithm of the volume by which it is stretched."""
        centre = self._centre(given).detach()
        network = seeing(self.network, centre)
        found = self.flow(network, given, centre.remove(x), n_steps, n_probes, generator)
        return found._replace(nats=found.nats - centre.log_volume().to(found.nats))

    def density(self, given: Encoded, x: Tensor) -> Density:
        """That of the residual, which is stretched."""
        centre = self._centre(given)
        denoise = steered_denoiser(
            seeing(self.network, centre), given, self.card.diffusion, SamplingConfig()
        )
        volume = centre.log_volume().double()
        return Density(denoise, centre.remove(x), volume, self.schedule.gamma_max)

    def _centre(self, given: Encoded) -> Centre:
        window = given.fields[:, :1].expand(-1, self.n_channels, *given.fields.shape[2:])
        once = bind_condition(self.network, given, NO_DIFFUSION)
        return centre_of(once, window, self.moved)
