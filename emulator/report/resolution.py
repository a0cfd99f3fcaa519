"""Up to which wave number the embedded suite's gravity has converged, as measured."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from emulator.io import read_json

KEYS = ("box_size_mpch", "n_particles", "mesh", "n_steps")


def read_suite(results: Path) -> dict[str, Any] | None:
    """The suite's section of the config, if the embedded suite made the simulations."""
    path = results / "config" / "simulate.yaml"
    if not path.is_file():
        return None
    suite = yaml.safe_load(path.read_text(encoding="utf-8"))["suite"]
    return suite if suite["kind"] == "embedded" else None


def describe_resolution(suite: dict[str, Any]) -> str:
    """One sentence for the reader of the report."""
    with_mesh = f"mesh {suite['mesh']}^3, {suite['n_steps']} steps"
    path = Path(str(files("emulator.simulate") / "convergence.json"))
    for measured in read_json(path, sealed=False):
        if all(measured[key] == suite[key] for key in KEYS):
            return (
                f"{with_mesh}: DMO power within 5 % of a finer run up to k = "
                f"{measured['k_5_percent_hmpc']:.1f} h/Mpc and within 10 % up to "
                f"{measured['k_10_percent_hmpc']:.1f} h/Mpc; beyond, condition and truth share "
                "what is missing"
            )
    return f"{with_mesh}: convergence was not measured for this size"
