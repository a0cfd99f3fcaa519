"""A response set of the fabricated suite: one parameter moves at a time, all else is common."""

import dataclasses

import fabricated

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
