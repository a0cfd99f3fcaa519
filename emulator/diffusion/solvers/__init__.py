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

from typing import get_args

from emulator.config.names import SolverName
from emulator.diffusion.path import VARIANCE_EXPLODING, Path
from emulator.diffusion.solvers.base import NoiseSource, NonFiniteError, Solver, solve
from emulator.diffusion.solvers.grid import Spacing, gamma_grid
from emulator.diffusion.solvers.multistep import (
    DataForm,
    DPMSolver2M,
    FlowForm,
    Multistep,
)
from emulator.diffusion.solvers.single_step import DDIM, Euler, Heun, PredictorCorrector

SOLVER_NAMES: tuple[str, ...] = get_args(SolverName)

__all__ = [
    "SOLVER_NAMES",
    "NoiseSource",
    "NonFiniteError",
    "Solver",
    "Spacing",
    "build_solver",
    "gamma_grid",
    "solve",
]


def build_solver(
    name: str,
    *,
    eta: float = 0.0,
    churn: float = 0.0,
    path: Path | None = None,
    centre: float = 0.0,
    corrections: int = 1,
    langevin_step: float = 0.05,
) -> Solver:
    """Solver by its name in the config.

    Parameters
    ----------
    name
        One of :data:`SOLVER_NAMES`.
    eta
        Noise of ``ddim``; 1 is ``ancestral``.
    churn
        Noise of ``euler`` and ``heun``.
    path
        Coordinates of ``euler`` and ``heun``; default: variance exploding, as EDM.
    centre
        Centre of the flow time of ``abm``, in gamma.
    corrections, langevin_step
        Of ``pc``.

    Raises
    ------
    ValueError
        For a name that is unknown, with those that exist.
    """
    path = path or VARIANCE_EXPLODING
    match name:
        case "ancestral":
            return DDIM(eta=1.0)
        case "ddim":
            return DDIM(eta=eta)
        case "euler":
            return Euler(path, churn)
        case "heun":
            return Heun(path, churn)
        case "dpm++2m":
            return DPMSolver2M()
        case "sde-dpm++2m":
            return DPMSolver2M(stochastic=True)
        case "ab2" | "ab3":
            return Multistep(DataForm(), order=int(name[-1]))
        case "unipc2" | "unipc3":
            return Multistep(DataForm(), order=int(name[-1]), corrects=True)
        case "abm2" | "abm3" | "abm4":
            return Multistep(FlowForm(centre), order=int(name[-1]), corrects=True)
        case "pc":
            return PredictorCorrector(corrections, langevin_step)
    raise ValueError(f"unknown solver {name!r}; there are {', '.join(SOLVER_NAMES)}")
