"""A response set of the fabricated suite: one parameter moves at a time, all else is common."""

import dataclasses

import fabricated
import numpy as np

from emulator.io import write_dataset

FIDUCIAL = fabricated.Simulation("1P_p1_0", "1P0", 0.3, 0.0125, 500, 5000)
STEPS = {
    "1P_p1_n1": {"omega_m": 0.25, "run": "1P1"},
    "1P_p1_1": {"omega_m": 0.35, "run": "1P2"},
    "1P_p2_n1": {"star_share": 0.008},
    "1P_p2_1": {"star_share": 0.017},
}


def simulations():
    """The fiducial point, and a step to either side of it in both parameters."""
    moved = [dataclasses.replace(FIDUCIAL, name=name, **step) for name, step in STEPS.items()]
    return [FIDUCIAL, *moved]


def write_ensembles(root, knowing=1.0, **ensemble):
    """Write maps and ensembles of the set below ``root``; return the paths of the ensembles.

    Parameters
    ----------
    knowing
        Power with which members follow the parameters: 1 is the law of the truth, 0 draws for the
        fiducial point whatever is asked for, -1 moves the wrong way.
    """
    paths = []
    fiducial = fabricated.make_ensemble(FIDUCIAL, **ensemble)
    for simulation in simulations():
        fabricated.write_maps(root / "maps", simulation)
        drawn = fabricated.make_ensemble(simulation, **ensemble)
        share = drawn["condition"] / fiducial["condition"]  # one number: the matter density
        ignorant = (fiducial["fields"] * share).transpose(*drawn["fields"].dims)
        ratio = (drawn["fields"] / ignorant.where(ignorant > 0)).fillna(1.0)
        members = (ignorant * ratio**knowing).astype(np.float32)
        drawn = drawn.assign(fields=members).assign_attrs(response_set="1P")
        paths.append(root / "results" / "ensembles" / "test" / f"{simulation.name}.nc")
        write_dataset(drawn, paths[-1])
    return paths
