"""How threads wait for each other, on a machine that is busy otherwise.

Threads of torch meet more than a thousand times in a step. OpenMP lets each one spin until the
others are there: the quickest where every thread has a core, and the slowest where another program
takes one, because those that spin take the other core from the one that they wait for. So commands
look whether cores are free when they start, and spin but shortly where they are not.

Not guaranteed: a neighbour that comes later is not seen. OpenMP reads the variable once, when torch
is imported; that of GNU alone, which torch's wheels for Linux bring, knows it.
"""

import os
import time
from pathlib import Path

SHORT_SPIN = {"GOMP_SPINCOUNT": "1000"}
"""About microseconds, in place of milliseconds."""

OWN_SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
"""With any of them the user has decided."""

STAT = Path("/proc/stat")
GLANCE_SECONDS = 0.1


def share_idle(before: str, after: str) -> float:
    """Share of all cores that was idle between two readings of Linux's ``/proc/stat``."""
    counts = [[int(word) for word in text.split("\n")[0].split()[1:9]] for text in (before, after)]
    spent = [later - earlier for earlier, later in zip(*counts, strict=True)]
    # user, nice, system, idle, iowait, irq, softirq, steal
    return (spent[3] + spent[4]) / sum(spent) if sum(spent) > 0 else 1.0


def spin_shortly_if_busy() -> None:
    """Set :data:`SHORT_SPIN` where fewer cores are idle than this process may use.

    Users' settings stay; and all stays where there is no ``/proc/stat``.
    """
    if any(name in os.environ for name in OWN_SETTINGS) or not STAT.is_file():
        return
    mine = len(os.sched_getaffinity(0))
    if mine == 1:
        return
    before = STAT.read_text()
    time.sleep(GLANCE_SECONDS)
    free = share_idle(before, STAT.read_text()) * (os.cpu_count() or mine)
    if free < mine - 0.5:
        os.environ.update(SHORT_SPIN)
