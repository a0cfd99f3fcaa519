"""What volumes (``data.dimensions: 3``) cannot have yet: refused before anything runs."""

from emulator.config.auto_solver import AutoConfig
from emulator.config.calibration import CalibrationConfig
from emulator.config.data import DataConfig
from emulator.config.evaluation import SamplingConfig
from emulator.config.names import ObjectiveName
from emulator.config.painting import PaintingConfig
from emulator.config.suites import SuiteConfig

OF_PARTICLES = ("embedded", "snapshots")
"""Kinds of suites whose particles can be deposited in voxels; others hold maps."""


def require_volumes(
    data: DataConfig,
    suite: SuiteConfig,
    *,
    objective: ObjectiveName,
    sampling: SamplingConfig,
    calibration: CalibrationConfig,
    painting: PaintingConfig,
) -> None:
    """Refuse what is done with maps alone, where the data are volumes.

    Parameters
    ----------
    data, suite, sampling, calibration, painting
        Sections of a config.
    objective
        What the model is trained for.

    Raises
    ------
    ValueError
        Names the keys, what was expected and what to do.
    """
    if data.dimensions == 2:
        return
    if suite.kind not in OF_PARTICLES:
        raise ValueError(
            f"data.dimensions: volumes are made of particles: expected suite.kind "
            f"{' or '.join(OF_PARTICLES)} with 3, got {suite.kind}, which holds maps: set "
            "dimensions to 2"
        )
    asked = {
        "training.objective one_step, which is scored on squares of pixels": objective
        == "one_step",
        "sampling.solver auto": isinstance(sampling.solver, AutoConfig),
        "calibration.enabled": calibration.enabled,
        "painting": bool(painting.boxes(suite)),
    }
    named = [key for key, is_asked in asked.items() if is_asked]
    if named:
        raise ValueError(
            f"data.dimensions: volumes have no {'; '.join(named)} yet: expected none of it with 3; "
            "leave it out, or set dimensions to 2"
        )
