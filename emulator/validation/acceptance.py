"""The acceptance table: every bar with its value, its threshold and its verdict.

A bar compares one number of ``metrics.nc`` with one number of the config. A number that cannot be
computed (no power in the truth, no baseline) misses its bar: what was not shown is not claimed.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from emulator.config import ValidationConfig
from emulator.io import EmulatorError, write_json
from emulator.metadata import provenance
from emulator.units import Unit

MET, MISSED = "met", "missed"
LABELS = {
    "dm_hydro": "dark matter",
    "gas": "gas",
    "stars": "stars",
    "total": "total matter",
    "dmo_share": "DMO times share",
    "linear_transfer": "linear transfer function",
    "empty": "empty map",
    "climatology": "climatology",
}
STATISTICS = {"summed": "summed over windows", "median": "median over windows"}


def acceptance_table(metrics: xr.Dataset, config: ValidationConfig) -> list[dict[str, Any]]:
    """All bars.

    Parameters
    ----------
    metrics
        Result of :func:`emulator.validation.evaluate.evaluate`.
    config
        Thresholds and the range of wave numbers.

    Returns
    -------
    One mapping a bar: ``name, field, value, threshold, verdict ("met" | "missed"), unit, text``,
    and ``low, high`` (bootstrap over runs) where the number has an interval. Values that cannot be
    computed are None.

    Raises
    ------
    EmulatorError
        If no shell of the spectra lies in the range of wave numbers.
    """
    channels = [str(name) for name in metrics["channel"].values]
    bars = [_crps_bar(metrics, name, config) for name in channels]
    for name in [str(name) for name in metrics["field"].values]:
        if name in config.power_tolerance:
            bars += [_power_bar(metrics, name, statistic, config) for statistic in STATISTICS]
    bars += [_spread_skill_bar(metrics, name, config) for name in channels]
    return bars


def write_acceptance(bars: Sequence[dict[str, Any]], metrics: xr.Dataset, path: str | Path) -> None:
    """Write ``acceptance.json``: the bars, how many are met, and on what they were measured."""
    met = sum(bar["verdict"] == MET for bar in bars)
    summary = {
        "met": met,
        "missed": len(bars) - met,
        "n_simulations": metrics.sizes["simulation"],
        "n_runs": int(metrics.attrs["n_runs"]),
        "n_members": metrics.sizes["member"],
        "notice": metrics.attrs.get("notice", ""),
        "bars": list(bars),
        **provenance("validate", config=json.loads(metrics.attrs["config"])),
    }
    write_json(path, summary)


def format_table(bars: Sequence[dict[str, Any]]) -> str:
    """The bars as aligned lines of text."""
    rows = [("verdict", "bar", "value", "threshold")]
    rows += [(bar["verdict"], bar["name"], _number(bar["value"]), _threshold(bar)) for bar in bars]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def enforce(bars: Sequence[dict[str, Any]]) -> None:
    """Raise :class:`EmulatorError` with the table if any bar is missed."""
    missed = sum(bar["verdict"] != MET for bar in bars)
    if missed:
        raise EmulatorError(
            f"{missed} of {len(bars)} acceptance bars are missed\n{format_table(bars)}\n"
            "Set validation.enforce: false to go on nevertheless."
        )


def _bar(
    name: str, field: str, value: float, threshold: Any, met: bool, text: str, **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "field": field,
        "value": _finite(value),
        "threshold": threshold,
        "verdict": MET if met and math.isfinite(value) else MISSED,
        "unit": str(Unit.DIMENSIONLESS),
        "text": text,
        **more,
    }


def _crps_bar(metrics: xr.Dataset, channel: str, config: ValidationConfig) -> dict[str, Any]:
    gain = metrics["crps_gain"].sel(channel=channel)
    value = float(gain.sel(estimate="value"))
    best = str(metrics["best_baseline"].sel(channel=channel).item())
    text = (
        f"The CRPS of {LABELS[channel]} should be at least {config.crps_gain:.0%} below that of "
        f"the best baseline ({LABELS[best]}); it is {_difference(value)}."
    )
    return _bar(
        f"CRPS gain, {LABELS[channel]}",
        channel,
        value,
        config.crps_gain,
        value >= config.crps_gain,
        text,
        statistic="crps_gain",
        comparison=">=",
        baseline=best,
        **_interval(gain),
    )


def _power_bar(
    metrics: xr.Dataset, field: str, statistic: str, config: ValidationConfig
) -> dict[str, Any]:
    k = metrics["k"].values
    inside = (k >= config.k_min_hmpc) & (k <= config.k_max_hmpc)
    if not inside.any():
        raise EmulatorError(
            f"validation: no shell of the spectra ({k[0]:.2f} to {k[-1]:.2f} h/Mpc) lies between "
            f"k_min_hmpc = {config.k_min_hmpc:g} and k_max_hmpc = {config.k_max_hmpc:g}"
        )
    ratio = metrics[f"power_ratio_{statistic}"].sel(field=field).values[:, inside]
    error = np.abs(ratio[0] - 1.0)
    # One wave number without a defined ratio spoils the maximum, as it should.
    worst = int(np.argmax(np.where(np.isfinite(error), error, np.inf)))
    tolerance, at = config.power_tolerance[field], float(k[inside][worst])
    text = (
        f"The power of {LABELS[field]} ({STATISTICS[statistic]}) should be within {tolerance:.0%} "
        f"of the truth for k = {config.k_min_hmpc:g} to {config.k_max_hmpc:g} h/Mpc; the largest "
        f"departure is at k = {at:.2g} h/Mpc, {_ratio(ratio[:, worst])}."
    )
    return _bar(
        f"P/P_truth, {LABELS[field]}, {STATISTICS[statistic]}",
        field,
        float(error[worst]),
        tolerance,
        bool(error[worst] <= tolerance),
        text,
        statistic=f"power_ratio_{statistic}",
        comparison="<=",
        k_worst_hmpc=at,
    )


def _spread_skill_bar(
    metrics: xr.Dataset, channel: str, config: ValidationConfig
) -> dict[str, Any]:
    ratio = metrics["spread_skill"].sel(channel=channel)
    value, (low, high) = float(ratio.sel(estimate="value")), config.spread_skill
    judgement = "too confident" if value < low else "too wide" if value > high else "in the range"
    text = (
        f"The spread of {LABELS[channel]} over its error should lie between {low:g} and {high:g} "
        f"(1 is calibrated); it is {value:.2f}, {judgement}."
    )
    return _bar(
        f"spread-skill, {LABELS[channel]}",
        channel,
        value,
        [low, high],
        low <= value <= high,
        text,
        statistic="spread_skill",
        comparison="in",
        **_interval(ratio),
    )


def _interval(values: xr.DataArray) -> dict[str, float | None]:
    return {name: _finite(float(values.sel(estimate=name))) for name in ("low", "high")}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _difference(gain: float) -> str:
    if not math.isfinite(gain):
        return "not defined"
    return f"{abs(gain):.0%} {'below' if gain >= 0 else 'above'}"


def _ratio(estimates: np.ndarray) -> str:
    value, low, high = (float(number) for number in estimates)
    if not math.isfinite(value):
        return "where the ratio is not defined"
    interval = f" ({low:.2f} to {high:.2f})" if math.isfinite(low) else ""
    return f"where the ratio is {value:.2f}{interval}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _threshold(bar: dict[str, Any]) -> str:
    if bar["comparison"] == "in":
        low, high = bar["threshold"]
        return f"{low:g} to {high:g}"
    return f"{bar['comparison']} {bar['threshold']:g}"
