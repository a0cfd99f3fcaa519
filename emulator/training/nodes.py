"""Several nodes: where their processes meet, from what `srun` says of the step."""

import os

from emulator.io import EmulatorError

FIRST_PORT, PORTS = 20000, 30000
"""Ports that a training may use; which one follows from the number of the job."""


def meet_nodes(num_nodes: int) -> None:
    """Set ``MASTER_ADDR``, ``MASTER_PORT`` and ``NODE_RANK``, which Lightning reads.

    One process is started on each node, which starts those of the other devices. Where these
    variables are set already, by hand or by another launcher, they stay.

    Raises
    ------
    EmulatorError
        If there are to be several nodes and nothing says which one this is, or if the step has
        another number of nodes than the config.
    """
    if num_nodes == 1 or "NODE_RANK" in os.environ:
        return
    found = int(os.environ.get("SLURM_STEP_NUM_NODES", os.environ.get("SLURM_NNODES", "1")))
    if found != num_nodes:
        raise EmulatorError(
            f"training.num_nodes is {num_nodes}, but this process was started on {found} node(s): "
            "start one a node (`srun --nodes=N --ntasks-per-node=1 emulator train ...`, as the "
            "workflow does under Slurm), or set NODE_RANK, MASTER_ADDR and MASTER_PORT"
        )
    port = FIRST_PORT + int(os.environ["SLURM_JOB_ID"]) % PORTS
    os.environ.setdefault("MASTER_ADDR", os.environ["SLURM_LAUNCH_NODE_IPADDR"])
    os.environ.setdefault("MASTER_PORT", str(port))
    os.environ["NODE_RANK"] = os.environ["SLURM_NODEID"]
