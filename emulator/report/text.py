"""Numbers and phrases that several sections write alike."""

import math
from collections.abc import Mapping
from typing import Any

from emulator.domain import MATTER, Domain

BAND = "Bands are intervals of 68 %, from a jackknife over runs."
UNKNOWN = "–"
MOST_DECIMALS = 6
TINY = 1e-300


def of_runs(n_runs: int, n_simulations: int, domain: Domain = MATTER) -> str:
    """Of how many runs numbers are; simulations that share initial phases are one run."""
    run, shared = domain.nouns.run, domain.nouns.source
    simulations = f"{n_simulations} simulation{'s' if n_simulations > 1 else ''}"
    if n_runs == 1:
        return f"{simulations} of 1 {run}: no interval."
    said = "" if n_runs == n_simulations else f" (those of one {run} share {shared})"
    return f"{simulations} of {n_runs} {run}s{said}."


def with_interval(values: Any, form: str = ".2f") -> str:
    """``value (low to high)`` of three numbers; a dash where there is no value.

    Digits are those of ``form``, and more where these would round the interval away.
    """
    value, low, high = (float(number) for number in values)
    if value != value:
        return UNKNOWN
    if low != low:
        return format(value, f"z{form}")
    form = f"z{form_for(form, value, (high - low) / 2)}"  # z: no zero has a sign
    return f"{format(value, form)} ({format(low, form)} to {format(high, form)})"


def form_for(form: str, value: float, error: float) -> str:
    """``form`` with as many digits as it takes for one digit of the error to be seen.

    Parameters
    ----------
    form
        ``.Nf``, ``.N%`` or ``.Ng``.
    value, error
        Of what is written; an error of rounding, or none, asks for nothing.
    """
    known = math.isfinite(error) and math.isfinite(value)
    if not known or error < 10.0**-MOST_DECIMALS * max(abs(value), TINY):
        return form
    digits, kind = int(form[1:-1]), form[-1]
    last = -math.floor(math.log10(error))  # decimal of the first digit of the error
    if kind == "g":
        first = math.floor(math.log10(abs(value))) if value else -last
        return f".{max(digits, min(last + first + 1, MOST_DECIMALS + 3))}g"
    needed = last - 2 if kind == "%" else last
    return f".{max(digits, min(needed, MOST_DECIMALS))}{kind}"


def with_error(value: float, error: float, *, scale: float = 1.0, sign: bool = False) -> str:
    """``value ± error``, two digits of the error; the value alone, to three, where it has none.

    Parameters
    ----------
    scale
        Both are multiplied by it: 100 for per cent.
    sign
        Whether a positive value has its sign.
    """
    value, error, plus = scale * value, scale * error, "+" if sign else ""
    if not math.isfinite(error) or error <= 0:
        return f"{value:{plus}.3g}"
    decimals = min(max(1 - math.floor(math.log10(error)), 0), MOST_DECIMALS)
    return f"{value:{plus}.{decimals}f} ± {error:.{decimals}f}"


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
