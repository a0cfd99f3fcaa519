"""Sampling of a diffusion: from pure noise down a grid of noise levels."""

from collections.abc import Callable

import torch
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.diffusion.guidance import observed_pixels, reconstruction_guided
from emulator.diffusion.likelihood import LogLikelihood, log_likelihood
from emulator.diffusion.solvers import solve
from emulator.diffusion.spectrum import ModeStatistics, spectral_start
from emulator.io import EmulatorError
from emulator.model.build import build_schedule
from emulator.model.card import ModelCard
from emulator.model.field_transform import Encoded
from emulator.sampling.samplers.base import Density, Known, Sampler
from emulator.sampling.samplers.steering import plan, require_trained, steered_denoiser


class DiffusionSampler(Sampler):
    """Solves the reverse process; may be guided, and led through known values."""

    def __init__(self, card: ModelCard, network: Callable[..., Tensor]) -> None:
        super().__init__(card, network)
        self.schedule = build_schedule(card.diffusion, card.schedule)

    def require(self, options: SamplingConfig, *, observed: bool = False) -> None:
        """Guidance drops only what the model was trained without now and then."""
        self.refuse_evaluations(options)
        require_trained(self.card.diffusion, options)

    def draw(
        self,
        given: Encoded,
        noise: Callable[[], Tensor],
        options: SamplingConfig,
        known: Known | None,
    ) -> Tensor:
        """See :meth:`Sampler.draw`."""
        return self.solve(self.network, given, noise, options, known)

    def solve(
        self,
        network: Callable[..., Tensor],
        given: Encoded,
        noise: Callable[[], Tensor],
        options: SamplingConfig,
        known: Known | None,
    ) -> Tensor:
        """What a network draws; see :meth:`Sampler.draw`."""
        denoise = steered_denoiser(network, given, self.card.diffusion, options)
        if known is not None:
            values = (known.x * known.mask).flatten(1)
            pixels = observed_pixels(known.mask)
            denoise = reconstruction_guided(denoise, pixels, values, noise_std=known.noise_std)
        solver, gammas = plan(self.card.diffusion, self.schedule, options)
        z = noise()
        if options.start == "spectrum":
            z = spectral_start(z, given.fields[:, 0], self._modes(), gammas[0])
        return solve(solver, denoise, z, gammas, noise)

    def log_likelihood(
        self,
        given: Encoded,
        x: Tensor,
        *,
        n_steps: int,
        n_probes: int,
        generator: torch.Generator,
    ) -> LogLikelihood:
        """By the probability-flow ODE."""
        return self.flow(self.network, given, x, n_steps, n_probes, generator)

    def flow(
        self,
        network: Callable[..., Tensor],
        given: Encoded,
        x: Tensor,
        n_steps: int,
        n_probes: int,
        generator: torch.Generator,
    ) -> LogLikelihood:
        """Log-density of what a network diffuses; see :meth:`Sampler.log_likelihood`."""
        return log_likelihood(
            steered_denoiser(network, given, self.card.diffusion, SamplingConfig()),
            x,
            gamma_min=self.schedule.gamma_min,
            gamma_max=self.schedule.gamma_max,
            n_steps=n_steps,
            n_probes=n_probes,
            generator=generator,
        )

    def density(self, given: Encoded, x: Tensor) -> Density:
        """See :meth:`Sampler.density`; data are what is diffused."""
        denoise = steered_denoiser(self.network, given, self.card.diffusion, SamplingConfig())
        return Density(denoise, x, x.new_zeros(len(x)).double(), self.schedule.gamma_max)

    def passes(self, options: SamplingConfig) -> int:
        """Those of the solver; guidance takes two each."""
        return options.most_steps * (1 if options.guidance_scale == 1.0 else 2)

    def recipe(self, options: SamplingConfig) -> dict[str, str | int]:
        """The solver of the options."""
        return {"solver": options.solver.name, "n_steps": options.most_steps}

    def _modes(self) -> ModeStatistics:
        if self.card.modes is None:
            raise EmulatorError(
                "sampling.start: spectrum needs a model whose bundle holds the data's spectra"
            )
        return ModeStatistics.from_lists(self.card.modes)
