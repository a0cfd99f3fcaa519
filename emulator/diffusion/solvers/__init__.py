r"""Solvers: from noise to a draw, as functions of a denoiser and of a grid of gammas.

A solver walks down a grid :math:`\gamma_0 > \gamma_1 > \dots > \gamma_{n-1}`
(:mod:`~emulator.diffusion.solvers.grid`), one ``step`` between neighbours, and returns
:math:`\hat x` at the last node. All work in the variance-preserving coordinates ``z``; coefficients
are computed in float64 with ``expm1``, so that they keep their digits for :math:`|\gamma|` up to 15
whatever the dtype of the fields. What each costs and reaches is measured in docs/solvers.md.

===================  ================================================================  ==========
name                 step                                                              draws noise
===================  ================================================================  ==========
``ancestral``        posterior of the discrete process                                 yes
``ddim``             the same with ``eta`` times its noise                             eta > 0
``euler``, ``heun``  straight step in the coordinates of a path, once corrected        churn > 0
``dpm++2m``          exponential midpoint rule in the data                             no
``sde-dpm++2m``      the same on the reverse SDE                                       yes
``ab2``, ``ab3``     exponential Adams-Bashforth in the data                           no
``unipc2``, ``3``    the same, corrected by the next evaluation                        no
``abm2``, ``3``,     Adams-Bashforth-Moulton in the flow time                          no
``4``
``pc``               ancestral, with Langevin steps before it                          yes
===================  ================================================================  ==========
"""

from emulator.config.solvers import (
    SOLVERS,
    AdamsBashforthConfig,
    AdamsMoultonConfig,
    AncestralConfig,
    DDIMConfig,
    DPMConfig,
    EulerConfig,
    PredictorCorrectorConfig,
    SolverConfig,
    UniPCConfig,
    parse_solver,
)
from emulator.diffusion.path import VARIANCE_EXPLODING, Path
from emulator.diffusion.solvers.base import NoiseSource, NonFiniteError, Solver, solve
from emulator.diffusion.solvers.grid import Spacing, build_spacing, gamma_grid
from emulator.diffusion.solvers.multistep import (
    DataForm,
    DPMSolver2M,
    FlowForm,
    Multistep,
)
from emulator.diffusion.solvers.single_step import DDIM, Euler, Heun, PredictorCorrector

SOLVER_NAMES = tuple(SOLVERS.sections)

__all__ = [
    "SOLVER_NAMES",
    "NoiseSource",
    "NonFiniteError",
    "Solver",
    "Spacing",
    "build_solver",
    "build_spacing",
    "gamma_grid",
    "solve",
]


def build_solver(options: SolverConfig | str, *, path: Path | None = None) -> Solver:
    """Solver by its section of the config, or by its name.

    Parameters
    ----------
    options
        Section of a solver; a name stands for the section with its defaults.
    path
        Coordinates of ``euler`` and ``heun``; default: variance exploding, as EDM.

    Raises
    ------
    ValueError
        For a name that is unknown, with those that exist.
    """
    if isinstance(options, str):
        options = parse_solver(options)
    path = path or VARIANCE_EXPLODING
    match options:
        case AncestralConfig():
            return DDIM(eta=1.0)
        case DDIMConfig(eta=eta):
            return DDIM(eta)
        case EulerConfig(name="euler", churn=churn):
            return Euler(path, churn)
        case EulerConfig(churn=churn):
            return Heun(path, churn)
        case DPMConfig(name=name):
            return DPMSolver2M(stochastic=name == "sde-dpm++2m")
        case AdamsBashforthConfig(name=name):
            return Multistep(DataForm(), order=int(name[-1]))
        case UniPCConfig(name=name):
            return Multistep(DataForm(), order=int(name[-1]), corrects=True)
        case AdamsMoultonConfig(name=name, centre=centre):
            return Multistep(FlowForm(centre), order=int(name[-1]), corrects=True)
        case PredictorCorrectorConfig(corrections=corrections, langevin_step=step):
            return PredictorCorrector(corrections, step)
