"""Sizes of files and arrays in bytes, from the config alone."""

from emulator.config import AutoConfig, DataConfig, ExperimentConfig

BLOCK_BYTES = 3 * 8 + 8
"""A particle in the reading buffer: position and mass in double precision."""

MESH_BYTES = 256**3 * 4
"""Largest density mesh of the adaptive kernel."""


def projection_bytes(data: DataConfig) -> float:
    """Memory of one worker of a projection: its grids, the fields, the mesh, the reading buffer.

    Arrays are not projected.
    """
    if data.of_arrays:
        return 0.0
    n, side = 3 * data.slabs, data.n_pixels + 16
    grids = 2 * n * side**2 * 8
    fields = n * (1 + len(data.fields)) * data.n_pixels**2 * 4
    mesh = MESH_BYTES if data.deposit == "adaptive" else 0
    return float(grids + fields + mesh + data.block_particles * BLOCK_BYTES)


def ensemble_bytes(config: ExperimentConfig, redraws: int = 0) -> float:
    """Ensemble file of one simulation: members, truth, re-drawn truths, condition and context."""
    sampling, fields = config.sampling, len(config.channels)
    members = sampling.n_members * len(config.training.seeds)
    layers = fields * (members + 1 + redraws) + 1 + config.n_further
    return float(sampling.windows_per_simulation * layers * config.data.window_pixels * 4)


def tuning_bytes(config: ExperimentConfig) -> float:
    """Windows and members that the search for a solver draws at a time; 0 where there is none."""
    auto, fields = config.sampling.solver, len(config.channels)
    if not isinstance(auto, AutoConfig):
        return 0.0
    layers = fields * (auto.members + 1) + 1 + config.n_further
    return float(auto.windows * layers * config.data.window_pixels * 4)


def calibration_bytes(config: ExperimentConfig) -> float:
    """Windows and members that the calibration draws at a time; 0 where there is none."""
    asked, fields = config.calibration, len(config.channels)
    if not asked.enabled:
        return 0.0
    layers = fields * (asked.members + 1) + 1 + config.n_further
    return float(asked.windows * layers * config.data.window_pixels * 4)


def audit_bytes(config: ExperimentConfig) -> float:
    """Windows and members that audits hold, four times over, and a box with its members.

    Partners of the same mass are sought among 64 windows of each simulation.
    """
    asked, fields, data = config.audits, len(config.channels), config.data
    members = asked.members * len(config.training.seeds)
    windows = 4 * asked.windows * fields * members + 64 * (fields + 1 + config.n_further)
    box = 0 if data.of_arrays else 16 * fields * members * data.n_pixels**2
    return float(4 * (4 * windows * data.window_pixels + box))


def format_size(n_bytes: float) -> str:
    """Three digits and a unit: ``55 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"
