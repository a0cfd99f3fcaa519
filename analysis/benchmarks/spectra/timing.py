"""Time of a processor and of the wall clock."""

import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Seconds(NamedTuple):
    """Of one call."""

    cpu: float
    wall: float


def least(work: Callable[[], object], *, runs: int = 200) -> Seconds:
    """Least of several calls, after one that compiles and warms caches."""
    work()
    found = [timed(work) for _ in range(runs)]
    return Seconds(min(each.cpu for each in found), min(each.wall for each in found))


def timed(work: Callable[[], object]) -> Seconds:
    """One call."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Seconds(time.process_time() - cpu, time.perf_counter() - wall)


def timed_command(command: Sequence[str]) -> Seconds:
    """A command that must succeed, with all of its processes."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    cpu, wall = used(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return Seconds(used() - cpu, time.perf_counter() - wall)
