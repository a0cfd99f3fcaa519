"""The acceptance table: every bar of every metric with its value, its threshold and its verdict."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from emulator.config import ValidationConfig
from emulator.fields import load_fields
from emulator.io import EmulatorError, write_json
from emulator.metadata import provenance
from emulator.metrics import registry
from emulator.metrics.bars import MET


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
    One mapping a bar: ``name, field, value, threshold, verdict ("met" | "missed"), unit, text,
    statistic, comparison``, and ``low, high`` (68 %, jackknife over runs) where the number has an
    interval. Values that cannot be computed are None.

    Raises
    ------
    EmulatorError
        If no shell of the spectra lies in the range of wave numbers, or the config names a field
        that was not evaluated.
    """
    fields = load_fields(
        metrics.attrs, metrics["channel"].values.astype(str).tolist(), "metrics.nc"
    )
    return [bar.row() for bar in registry.judge(metrics, config, fields)]


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


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _threshold(bar: dict[str, Any]) -> str:
    if bar["comparison"] == "in":
        low, high = bar["threshold"]
        return f"{low:g} to {high:g}"
    return f"{bar['comparison']} {bar['threshold']:g}"
