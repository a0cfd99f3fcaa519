"""Numbers and phrases that several sections write alike."""

from collections.abc import Mapping
from typing import Any

BAND = "Bands are intervals of 68 %, from a jackknife over runs."
UNKNOWN = "–"


def independent_runs(n_runs: int) -> str:
    """How many independent runs numbers are made of: simulations that share phases are one."""
    if n_runs == 1:
        return "1 independent run: no interval."
    return f"{n_runs} independent runs."


def with_interval(values: Any, form: str = ".2f") -> str:
    """``value (low to high)`` of three numbers; a dash where there is no value."""
    value, low, high = (float(number) for number in values)
    if value != value:
        return UNKNOWN
    if low != low:
        return format(value, form)
    return f"{format(value, form)} ({format(low, form)} to {format(high, form)})"


def number(value: float) -> str:
    """Three digits; a dash where there is no value."""
    return UNKNOWN if value != value else f"{value:.3g}"


def k_range_of(config: Mapping[str, Any]) -> tuple[float, float]:
    """Range of wave numbers of the bars, of the section ``validation`` as JSON."""
    low, high = config.get("k_range") or (config["k_min_hmpc"], config["k_max_hmpc"])
    return float(low), float(high)


def join(names: list[str]) -> str:
    """``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
