"""Sampling of a one-step ensemble: a member is what the network makes of unit noise."""

from collections.abc import Callable

import torch
from torch import Tensor

from emulator.config import SamplingConfig
from emulator.diffusion.likelihood import LogLikelihood
from emulator.diffusion.solvers import NonFiniteError
from emulator.io import EmulatorError
from emulator.model.build import COPIES
from emulator.model.card import ModelCard
from emulator.model.conditional import NO_DIFFUSION, bind_condition
from emulator.model.field_transform import Encoded
from emulator.model.one_step import draw_members
from emulator.sampling.samplers.base import Known, Sampler

_INSTEAD = "train a diffusion for that (training.objective: diffusion)"


class OneStepSampler(Sampler):
    """One pass a member; solver, steps and noise levels of the options are not read."""

    def __init__(self, card: ModelCard, network: Callable[..., Tensor]) -> None:
        super().__init__(card, network)
        self.noise_channels = COPIES["one_step"] * self.n_channels

    @property
    def scaled_copies(self) -> tuple[int, ...]:
        """The noises that are added to a member; the first one is what only the network sees.

        It sees the others as well, and sees them scaled.
        """
        return super().scaled_copies[1:]

    def require(self, options: SamplingConfig, *, observed: bool = False) -> None:
        """No guidance and no known values: there is no path that could be bent."""
        self.refuse_evaluations(options)
        if options.guidance_scale != 1.0:
            raise EmulatorError(
                f"sampling.guidance_scale is {options.guidance_scale:g}, and a one-step ensemble "
                f"has no path to guide: set it to 1, or {_INSTEAD}"
            )
        if observed:
            raise EmulatorError(
                f"observed: a one-step ensemble cannot be led through known values; {_INSTEAD}"
            )

    def draw(
        self,
        given: Encoded,
        noise: Callable[[], Tensor],
        options: SamplingConfig,
        known: Known | None,
    ) -> Tensor:
        """See :meth:`Sampler.draw`."""
        x = draw_members(bind_condition(self.network, given, NO_DIFFUSION), noise())
        bad = (~torch.isfinite(x).flatten(1).all(1)).nonzero()[:, 0].tolist()
        if bad:
            raise NonFiniteError(0, NO_DIFFUSION.gamma_max, bad)
        return x

    def log_likelihood(
        self,
        given: Encoded,
        x: Tensor,
        *,
        n_steps: int,
        n_probes: int,
        generator: torch.Generator,
    ) -> LogLikelihood:
        """Not known: members are drawn without a density."""
        raise EmulatorError(f"a one-step ensemble has no likelihood; {_INSTEAD}")

    def passes(self, options: SamplingConfig) -> int:
        """One."""
        return 1

    def recipe(self, options: SamplingConfig) -> dict[str, str | int]:
        """One pass."""
        return {"solver": "one_step", "n_steps": 1}
