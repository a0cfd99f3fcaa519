"""Sizes of files and arrays in bytes, from the config alone."""

from emulator.config import DataConfig, ExperimentConfig

SPECIES = 4
"""Fields of a maps file: DMO, dark matter, gas, stars."""

BLOCK_BYTES = 3 * 8 + 8
"""A particle in the reading buffer: position and mass in double precision."""

MESH_BYTES = 256**3 * 4
"""Largest density mesh of the adaptive kernel."""


def projections(config: ExperimentConfig) -> int:
    """Maps of one simulation; windows of a suite of ready windows count as none."""
    suite = config.suite
    if suite.kind == "multifield":
        return suite.maps_per_simulation
    return 0 if suite.kind == "samples" else 3 * config.data.slabs


def maps_bytes(config: ExperimentConfig, windows: int = 0) -> float:
    """Maps file of one simulation: fields of four species and the context of one, float32.

    Parameters
    ----------
    windows
        Ready windows of a simulation (``suite.kind: samples``); their number is in the files alone.
    """
    data = config.data
    if config.suite.kind == "samples":
        # context windows have the pixels of the window
        layers = SPECIES + len(data.context_factors)
        return float(windows * data.window**2 * 4 * layers)
    context = sum(1.0 / factor**2 for factor in data.context_factors)
    return projections(config) * data.n_pixels**2 * 4 * (SPECIES + context)


def projection_bytes(data: DataConfig) -> float:
    """Memory of one worker of a projection: its grids, the fields, the mesh, the reading buffer."""
    n, side = 3 * data.slabs, data.n_pixels + 16
    grids = 2 * n * side**2 * 8
    fields = n * SPECIES * data.n_pixels**2 * 4
    mesh = MESH_BYTES if data.deposit == "adaptive" else 0
    return float(grids + fields + mesh + data.block_particles * BLOCK_BYTES)


def ensemble_bytes(config: ExperimentConfig, redraws: int = 0) -> float:
    """Ensemble file of one simulation: members, truth, re-drawn truths, condition and context."""
    sampling, fields = config.sampling, len(config.channels)
    members = sampling.n_members * len(config.training.seeds)
    layers = fields * (members + 1 + redraws) + 1 + len(config.data.context_factors)
    return float(sampling.windows_per_simulation * layers * config.data.window**2 * 4)


def snapshot_bytes(config: ExperimentConfig) -> float:
    """Snapshots that the embedded suite writes; existing suites write none."""
    suite = config.suite
    if suite.kind != "embedded":
        return 0.0
    runs = suite.runs()
    outcomes = sum(len(members) for members in runs.values())
    return float(suite.dmo_bytes * len(runs) + suite.hydro_bytes * outcomes)


def format_size(n_bytes: float) -> str:
    """Three digits and a unit: ``55 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"
