"""Workers: a sum over parts of snapshots, shared among threads, processes or a cluster.

Every worker fills an array of its own and the arrays are added. HDF5 holds one lock a process, so
that threads overlap reading with depositing (which holds no lock), while processes read side by
side. One worker runs in this thread and needs neither.
"""

import atexit
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from emulator.io import EmulatorError
from emulator.projection.blocks import Part

if TYPE_CHECKING:
    from distributed import Client

SLURM_WORKER: dict[str, Any] = {"cores": 1, "memory": "4 GB", "processes": 1}
"""A worker that is a Slurm job, where dask's configuration does not say."""

CONNECT_SECONDS = 10
"""How long to wait for a cluster's scheduler."""

Task = Callable[[Part, NDArray[Any]], float]
"""Adds a part to an array in place and returns its mass."""


def sum_over(
    parts: Sequence[Part],
    task: Task,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    *,
    scheduler: str,
    workers: int,
) -> tuple[NDArray[Any], float]:
    """Sum what a task makes of each part.

    Parameters
    ----------
    parts
        Parts of snapshots; large ones are split so that all workers are busy.
    task
        Picklable where the workers are processes.
    shape, dtype
        Of the array that the tasks fill.
    scheduler
        ``threads``, ``processes``, ``slurm``, or the address of a running ``dask.distributed``
        scheduler.
    workers
        How many; each holds an array of its own.

    Returns
    -------
    The array, and the sum of the masses.

    Raises
    ------
    DataError
        Whatever a task raises.
    EmulatorError
        No scheduler answers at the address.
    """
    shares = _share_out(parts, workers)
    if len(shares) <= 1:
        return _run(task, shape, dtype, [part for share in shares for part in share])
    jobs = [(task, shape, dtype, share) for share in shares]
    total, mass = _empty(shape, dtype), 0.0
    for array, part_mass in _compute(jobs, scheduler):
        total += array
        mass += part_mass
    return total, mass


def _run(
    task: Task, shape: tuple[int, ...], dtype: DTypeLike, parts: Sequence[Part]
) -> tuple[NDArray[Any], float]:
    array = _empty(shape, dtype)
    return array, float(sum(task(part, array) for part in parts))


def _empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    return np.zeros(shape, dtype)


def _share_out(parts: Sequence[Part], workers: int) -> list[list[Part]]:
    """Consecutive particles to each worker, about as many to each; no empty shares."""
    goal = -(-sum(len(part) for part in parts) // workers)
    shares: list[list[Part]] = [[]]
    room = goal
    for part in parts:
        rest: Part | None = part
        while rest is not None:
            if room == 0:
                shares.append([])
                room = goal
            taken, rest = rest.split_at(room)
            shares[-1].append(taken)
            room -= len(taken)
    return shares


def _compute(jobs: Sequence[tuple[Any, ...]], scheduler: str) -> Any:
    import dask

    delayed = [dask.delayed(_run, pure=False)(*job) for job in jobs]
    if scheduler in ("threads", "processes"):
        return dask.compute(*delayed, scheduler=scheduler, num_workers=len(jobs))
    address = _slurm_workers(len(jobs)) if scheduler == "slurm" else scheduler
    with _connect(address) as client:
        return client.gather(client.compute(delayed))


def _connect(address: str) -> "Client":
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except OSError as error:
        raise EmulatorError(
            f"data.scheduler: no dask scheduler answers at {address} ({error})"
        ) from error


def _slurm_workers(n_workers: int) -> str:
    """Address of a cluster with so many workers, at least; those it lacks are queued."""
    cluster = _slurm_cluster()
    if len(cluster.worker_spec) < n_workers:
        cluster.scale(n_workers)
    return str(cluster.scheduler_address)


@cache
def _slurm_cluster() -> Any:
    """Scheduler whose workers are Slurm jobs: one a process; it ends with it.

    Partition, account, memory and walltime are those of dask's own configuration (the section
    ``jobqueue.slurm`` of ~/.config/dask/jobqueue.yaml), where cores and memory have a default here.
    """
    import dask

    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise EmulatorError(
            "data.scheduler: slurm needs dask-jobqueue: pip install 'emulator-pipeline[cluster]'"
        ) from error
    given = dask.config.get("jobqueue.slurm")
    options = {name: value for name, value in SLURM_WORKER.items() if given[name] is None}
    cluster = SLURMCluster(**options)
    atexit.register(cluster.close)
    return cluster
