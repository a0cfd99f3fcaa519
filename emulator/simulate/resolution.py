"""Up to which wave number the gravity of the embedded suite has converged, as measured."""

from importlib.resources import files
from pathlib import Path

from emulator.config import EmbeddedSuite
from emulator.io import read_json

_KEYS = ("box_size_mpch", "n_particles", "mesh", "n_steps")


def describe_resolution(suite: EmbeddedSuite) -> str:
    """One sentence for the reader of a report."""
    with_mesh = f"mesh {suite.mesh}^3, {suite.n_steps} steps"
    path = Path(str(files("emulator.simulate") / "convergence.json"))
    for measured in read_json(path, sealed=False):
        if all(measured[key] == getattr(suite, key) for key in _KEYS):
            return (
                f"{with_mesh}: DMO power within 5 % of a finer run up to k = "
                f"{measured['k_5_percent_hmpc']:.1f} h/Mpc and within 10 % up to "
                f"{measured['k_10_percent_hmpc']:.1f} h/Mpc; beyond, condition and truth share "
                "what is missing"
            )
    return f"{with_mesh}: convergence was not measured for this size"


def describe_meshes(suite: EmbeddedSuite) -> str:
    """What is given, and what is drawn, where both are runs of dark matter alone."""
    return (
        f"DMO is the coarse run, with a gravity mesh of {suite.dmo_mesh}^3 cells; the truth is the "
        f"fine run, with {suite.mesh}^3. Both have the same {suite.n_particles}^3 particles, "
        f"initial phases and {suite.n_steps} time steps, and no baryons"
    )
