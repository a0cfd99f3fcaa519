"""From a model and the options of sampling to a denoiser, a solver and a grid of gammas."""

from collections.abc import Callable

import torch
from torch import Tensor

from emulator.config import AutoConfig, DiffusionConfig, SamplingConfig
from emulator.diffusion.guidance import classifier_free
from emulator.diffusion.parameterization import Denoiser
from emulator.diffusion.path import Path
from emulator.diffusion.schedule import Schedule
from emulator.diffusion.solvers import Solver, build_solver, build_spacing, gamma_grid
from emulator.io import EmulatorError
from emulator.model.build import build_parameterization
from emulator.model.conditional import bind_condition, denoiser
from emulator.model.field_transform import Encoded


def steered_denoiser(
    network: Callable[..., Tensor],
    given: Encoded,
    diffusion: DiffusionConfig,
    options: SamplingConfig,
) -> Denoiser:
    """Denoiser of a batch, with classifier-free guidance where the options ask for it.

    Raises
    ------
    EmulatorError
        See :func:`require_trained`.
    """
    require_trained(diffusion, options)
    parameterization = build_parameterization(diffusion)
    bound = bind_condition(network, given, diffusion)
    conditional = denoiser(bound, parameterization)
    if options.guidance_scale == 1.0:
        return conditional
    nothing = torch.zeros(len(given.params)).to(given.params)
    without = bind_condition(
        network,
        given,
        diffusion,
        keep_params=torch.zeros_like(given.known) if "params" in options.guidance_drops else None,
        keep_context=nothing if "context" in options.guidance_drops else None,
    )
    interval = {} if options.guidance_interval is None else {"interval": options.guidance_interval}
    return classifier_free(
        conditional, denoiser(without, parameterization), options.guidance_scale, **interval
    )


def require_trained(diffusion: DiffusionConfig, options: SamplingConfig) -> None:
    """Refuse guidance by what the model was always trained with.

    Raises
    ------
    EmulatorError
        Names it, and the key that trains without it.
    """
    shares = {"params": diffusion.drop_params, "context": diffusion.drop_context}
    for name in options.guidance_drops if options.guidance_scale != 1.0 else ():
        if shares[name] == 0.0:
            raise EmulatorError(
                f"sampling.guidance_drops: the model was never trained without {name}; train it "
                f"with diffusion.drop_{name} > 0 (0.1 is usual), or set guidance_scale to 1"
            )


def plan(
    diffusion: DiffusionConfig, schedule: Schedule, options: SamplingConfig
) -> tuple[Solver, list[float]]:
    """Solver and grid of gammas that the options ask for.

    Raises
    ------
    EmulatorError
        If they are still to be found (:func:`emulator.sampling.chosen.choose_options`).
    """
    if isinstance(options.solver, AutoConfig) or options.n_steps is None or not options.spacing:
        raise EmulatorError("sampling.solver: auto names no solver before one is found")
    solver = build_solver(options.solver, path=Path(diffusion.path))
    start = schedule.gamma_max if options.gamma_start is None else options.gamma_start
    end = schedule.gamma_min if options.gamma_end is None else options.gamma_end
    spacing = build_spacing(options.spacing, schedule)
    return solver, gamma_grid(start, end, solver.nodes(options.n_steps), spacing)
