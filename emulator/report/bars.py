"""How a bar reads: its value and its threshold, in the format of the metric that is judged."""

from typing import Any

from emulator.metrics.registry import metric_of
from emulator.report.text import form_for


def bar_value(bar: dict[str, Any], name: str = "value") -> str:
    """The value of a row of ``acceptance.json``, or an end of its interval (``low, high``)."""
    number = bar.get(name)
    return "undefined" if number is None else format(number, f"z{bar_format(bar)}")  # no -0


def bar_threshold(bar: dict[str, Any]) -> str:
    """What the value is compared with: ``≥ 2%``, ``≤ 10%``, ``0.7 to 1.3``."""
    if bar["comparison"] == "in":
        low, high = bar["threshold"]
        return f"{low:g} to {high:g}"
    sign = "≥" if bar["comparison"] == ">=" else "≤"
    return f"{sign} {format(bar['threshold'], '.0%' if bar_format(bar).endswith('%') else 'g')}"


def bar_interval(bar: dict[str, Any]) -> str:
    """``0.97 to 1.06``, the interval of 68 %; empty where there is none."""
    if bar.get("low") is None or bar.get("high") is None:
        return ""
    return f"{bar_value(bar, 'low')} to {bar_value(bar, 'high')}"


def bar_format(bar: dict[str, Any]) -> str:
    """As the metric says whose number is judged, with digits enough for its interval."""
    metric = metric_of(bar["statistic"])
    form = metric.format if metric else ".3g"
    value, low, high = (bar.get(name) for name in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return form
    return form_for(form, value, (high - low) / 2)
