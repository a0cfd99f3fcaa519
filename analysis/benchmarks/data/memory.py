"""Peak memory of a function, measured in a process of its own."""

import multiprocessing
import resource
from collections.abc import Callable
from pathlib import Path


def peak_bytes(work: Callable[..., object], *arguments: object) -> int:
    """Peak resident memory that ``work`` adds to that of a process that has done it on little.

    ``work`` is called twice: the first call compiles and imports and must be cheap in memory.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (work, arguments))


def _peak(work: Callable[..., object], arguments: tuple[object, ...]) -> int:
    work(*arguments, warm_up=True)
    # the peak of the warm-up may not hide that of the work
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident()
    work(*arguments, warm_up=False)
    return resource_peak() - before


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def resource_peak() -> int:
    """Peak resident memory of this process since the last reset [byte]."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM: this needs Linux")
