"""Options of a draw, where the solver is the one that was found for the model."""

from emulator.config import AutoConfig, SamplingConfig
from emulator.io import EmulatorError
from emulator.model.found_solver import FoundSolver
from emulator.model.validated import Validated

FOUND_WITH = (
    "gamma_start",
    "gamma_end",
    "start",
    "guidance_scale",
    "guidance_drops",
    "guidance_interval",
)
"""Options that decide the error of a solver besides itself: it is found for them, and no others."""


def own_options(found: FoundSolver | None, validated: Validated | None) -> SamplingConfig | None:
    """Options that a bundle names: those that it was judged with, else those that were found."""
    if validated is not None:
        return validated.sampling
    return None if found is None else found.sampling


def choose_options(
    asked: SamplingConfig | None,
    found: FoundSolver | None,
    model: str,
    validated: Validated | None = None,
) -> SamplingConfig:
    """Options that are drawn with, of a model for which a solver was found, or none was.

    Parameters
    ----------
    asked
        What the caller asks for; None: what the model was judged with, else what was found with all
        that it was found with, else the defaults of the config.
    found
        Content of the model's ``solver.json``, if there is one.
    model
        Its name, for messages.
    validated
        Content of the model's ``validated.json``, if there is one.

    Raises
    ------
    EmulatorError
        ``solver: auto`` where nothing was found, or something for other options.
    """
    if asked is None:
        return own_options(found, validated) or SamplingConfig()
    if not isinstance(asked.solver, AutoConfig):
        return asked
    if found is None:
        raise EmulatorError(
            f"sampling.solver: auto, but no solver was found for the model {model}: run `emulator "
            "tune CONFIG` (the workflow does), which writes solver.json into its bundle, or name a "
            "solver"
        )
    other = [
        f"{key} {getattr(asked, key)}, found with {getattr(found.sampling, key)}"
        for key in FOUND_WITH
        if getattr(asked, key) != getattr(found.sampling, key)
    ]
    if other:
        raise EmulatorError(
            f"sampling.solver: auto, but the solver of the model {model} was found for other "
            f"options ({'; '.join(other)}): run `emulator tune CONFIG` again, or name a solver"
        )
    same = {key: getattr(found.sampling, key) for key in ("solver", "n_steps", "spacing")}
    return asked.model_copy(update=same)


def is_found(asked: SamplingConfig | None, found: FoundSolver | None) -> bool:
    """Whether :func:`choose_options` takes what was found."""
    return found is not None and (asked is None or isinstance(asked.solver, AutoConfig))
