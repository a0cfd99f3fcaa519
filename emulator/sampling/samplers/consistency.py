"""Sampling of a consistency model: the end of a path, and a few times noise upon it again."""

from collections.abc import Callable

import torch
from torch import Tensor

from emulator.config import EVALUATIONS, SamplingConfig
from emulator.diffusion.consistency import Ladder, Renoise
from emulator.diffusion.likelihood import LogLikelihood
from emulator.diffusion.solvers import solve
from emulator.io import EmulatorError
from emulator.model.build import build_parameterization, build_schedule
from emulator.model.card import ModelCard
from emulator.model.conditional import bind_condition, denoiser
from emulator.model.field_transform import Encoded
from emulator.sampling.samplers.base import Known, Sampler

_INSTEAD = "use its teacher, the diffusion, for that"


class ConsistencySampler(Sampler):
    """A few evaluations a member; solver, steps and noise levels of the options are not read."""

    def __init__(self, card: ModelCard, network: Callable[..., Tensor]) -> None:
        super().__init__(card, network)
        options = card.facts.consistency
        if options is None:
            raise EmulatorError(f"{card.name}: the card of a consistency model names its levels")
        schedule = build_schedule(card.diffusion, card.schedule)
        self.ladder = Ladder(schedule.gamma_max, options.gamma_end, options.levels)

    def require(self, options: SamplingConfig, *, observed: bool = False) -> None:
        """No guidance and no known values: its path is one step long."""
        if options.guidance_scale != 1.0:
            raise EmulatorError(
                f"sampling.guidance_scale is {options.guidance_scale:g}, and a consistency model "
                f"has no path to guide: set it to 1, or {_INSTEAD}"
            )
        if options.start != "noise":
            raise EmulatorError(
                f"sampling.start is {options.start}, and a consistency model starts from noise "
                f"alone: leave it out, or {_INSTEAD}"
            )
        if observed:
            raise EmulatorError(
                f"observed: a consistency model cannot be led through known values; {_INSTEAD}"
            )

    def draw(
        self,
        given: Encoded,
        noise: Callable[[], Tensor],
        options: SamplingConfig,
        known: Known | None,
    ) -> Tensor:
        """See :meth:`Sampler.draw`."""
        diffusion = self.card.diffusion
        bound = bind_condition(self.network, given, diffusion)
        denoise = denoiser(bound, build_parameterization(diffusion))
        return solve(Renoise(), denoise, noise(), self.ladder.visited(_evaluations(options)), noise)

    def log_likelihood(
        self,
        given: Encoded,
        x: Tensor,
        *,
        n_steps: int,
        n_probes: int,
        generator: torch.Generator,
    ) -> LogLikelihood:
        """Not known: the student has the ends of paths, and no ODE."""
        raise EmulatorError(f"a consistency model has no likelihood; {_INSTEAD}")

    def passes(self, options: SamplingConfig) -> int:
        """Its evaluations."""
        return _evaluations(options)

    def recipe(self, options: SamplingConfig) -> dict[str, str | int]:
        """Its evaluations."""
        return {"solver": "consistency", "n_steps": _evaluations(options)}


def _evaluations(options: SamplingConfig) -> int:
    return options.evaluations or EVALUATIONS
