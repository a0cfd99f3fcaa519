"""A bar: one number of ``metrics.nc`` beside one number of the config, and its verdict.

A number that cannot be computed (no power in the truth, no baseline) misses its bar: what was not
shown is not claimed.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import xarray as xr

from emulator.units import Unit

MET, MISSED = "met", "missed"


@dataclass(frozen=True)
class Bar:
    """One row of the acceptance table.

    Attributes
    ----------
    name, text
        A few words, and a sentence that says what was asked and what came out.
    field
        Name of the field that is judged.
    statistic
        Variable of ``metrics.nc``.
    value
        What came out; NaN or infinite: not defined.
    comparison, threshold
        ``>=`` or ``<=`` a number, or ``in`` a closed range.
    interval
        Ends of the interval of 68 %, where the number has them.
    unit
        Of value and threshold.
    facts
        What else a reader may want: names to numbers or text.
    """

    name: str
    field: str
    statistic: str
    value: float
    comparison: Literal[">=", "<=", "in"]
    threshold: float | tuple[float, float]
    text: str
    interval: tuple[float, float] | None = None
    unit: str = str(Unit.DIMENSIONLESS)
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the value is defined and on the right side."""
        if not math.isfinite(self.value):
            return False
        if isinstance(self.threshold, tuple):
            low, high = self.threshold
            return low <= self.value <= high
        if self.comparison == ">=":
            return self.value >= self.threshold
        return self.value <= self.threshold

    def row(self) -> dict[str, Any]:
        """The bar as it stands in ``acceptance.json``; numbers that are not defined are None."""
        ends = dict(zip(("low", "high"), self.interval or (), strict=False))
        return {
            "name": self.name,
            "field": self.field,
            "value": _finite(self.value),
            "threshold": (
                list(self.threshold) if isinstance(self.threshold, tuple) else self.threshold
            ),
            "verdict": MET if self.met else MISSED,
            "unit": self.unit,
            "text": self.text,
            "statistic": self.statistic,
            "comparison": self.comparison,
            **self.facts,
            **{name: _finite(end) for name, end in ends.items()},
        }


def interval_of(values: xr.DataArray) -> tuple[float, float]:
    """Low and high of a number with the dimension ``estimate`` alone."""
    return float(values.sel(estimate="low")), float(values.sel(estimate="high"))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
