"""Wall time of a little work, for probes."""

import time
from collections.abc import Callable

from emulator.config import DataConfig
from emulator.suites.base import Probe, Suite


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def probe_reading(suite: Suite, data: DataConfig) -> Probe:
    """Time of reading all of a suite of ready maps, from that of its first simulation."""
    first = suite.simulations[0]
    seconds = seconds_of(lambda: suite.read_maps(data, first))
    note = f"project: {first} was read in {seconds:.3g} s"
    return Probe(0.0, seconds * len(suite.simulations), note)
