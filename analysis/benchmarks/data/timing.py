"""Timing: the best of several runs, after one that compiles and warms caches."""

import time
from collections.abc import Callable


def best_seconds(work: Callable[[], object], *, runs: int = 5) -> float:
    """Least wall-clock seconds of a call."""
    work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
